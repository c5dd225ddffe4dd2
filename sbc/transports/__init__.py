"""F3, client side: from a listening socket to requests and WebSockets, whatever carries them.

    sockets  listener  threshold     bound sockets; what comes in by them; what is before it while one is barred
    proxied  entrance                for whom a proxy speaks; which version of HTTP a connection speaks
    http1  http1_intake  http1_stream  valves       HTTP/1.1: the connection, what it reads, a request, its socket
    http2  http2_inflow  http2_outflow              HTTP/2
    quic/                                           HTTP/3 and WebTransport
    stream_door  stream_doorstep  request_stream    what the two have in common: streams, WebSockets on them, requests
    outflow  watch                                  and what they write, and when something is due
    websocket                        WebSocket over HTTP/1.1, up to its 101
    patience                         how long a client is waited for
    interconnect                     where other workers and edges come in
"""
