"""What the messages of a session mean: one file a protocol, the file's name is the name in the YAML. Pure machines."""
