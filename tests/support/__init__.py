"""What the real-process tests are made of: an edge, nodes, clients, and an oracle that judges what they recorded."""
