"""What the operating system does for sessions: marks on their packets, and what needs a privilege of its own.

`marking` is the edge's own and needs no privilege. All else is ordered: the edge runs without privileges and asks the
warden, a small process beside it, over a Unix socket (docs/DESIGN.md section 5.8).
"""
