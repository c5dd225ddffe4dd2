"""F2: what both legs of a dialog share on the wire.

    link  sips               a WebSocket after its handshake, around a relay; reading a little at a time
    tls_transport  marking   TLS, and marks on packets, between TCP and whatever stands on it
    heads  request_head  bodies  http1  upgrade      HTTP/1.1 and the WebSocket handshake, read strictly and written
    http2/  http3/           engines, each behind an interface of the edge's own
    proxy_protocol           for whom a TCP proxy speaks
    aiohttp_doors            what the doors that aiohttp serves need beside it
    hop  pipe  channel       between edges and processes: what is told of a request; bytes joined as they are; JSON
"""
