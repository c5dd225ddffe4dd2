"""F1, what the messages of a session mean: a file or folder for each protocol, by its name in the YAML. Pure machines.

    opaque  sse  mcp/  a2a/  openai/  agentcore  realtime       the protocols
    protocol       the seam between them and the runtime        registry    makes them, by their names
    events  event_ids  lines    streams of events as bytes      bodies      which can be read
    grpc  cors     what passes on every route
"""
