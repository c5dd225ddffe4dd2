"""What `sbc demo` shows: agents to talk to while their nodes are killed."""
