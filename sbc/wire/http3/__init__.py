"""HTTP/3 on QUIC, without I/O: the engine's interface, and the two engines behind it.

    engine  orders  hub      what an engine is told and tells; what a connection and its streams know of each other
    layer  table  request_stream  one_way       HTTP/3 itself: the connection, its streams, and those of each kind
    frames  fields  pieces  capsules            what it writes and reads (QPACK without its dynamic table)
    factory  qh3_engine  qh3_connection  qh3_losses     the default engine, on qh3
    aioquic_engine  aioquic_connection                  the other one, on aioquic
    credentials              certificates, as these engines take them
    invariants               the first bytes of a datagram, before it is known whose it is
"""
