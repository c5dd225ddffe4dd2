"""HTTP/2 without I/O, for both legs: an engine interface with two engines behind it, and the budget of a connection.

    engine  inbound      what an engine is told and tells; what a connection and its streams know of each other
    factory  ngh2_engine  _ngh2_engine  _nghttp2        the default engine, on nghttp2
    h2_engine  h2_outboxes  h2_parts                    the other one, on h2
    sending  goaway      what engines have in common
    budget               floods are counted before an engine sees a byte
    request_fields  refusal      requests and refusals, for HTTP/3 too
    carried  stream_transport    a stream as a transport: WebSocket (RFC 8441)
"""
