"""F3, node side: the data legs, the trunks on which nodes signal, and the probes of those without one.

    address  dial              where a node is, and how a connection to it comes about
    pool  lines                the connections to all nodes; those to one, and who waits for one
    errand                     a request on its way, by either version of HTTP:
    http1  http1_outlet  answer  http2  http2_stream
    traveller  passenger  extended_connect          who wants, or has, a stream of its own on a shared connection:
    tunnel  passage                                 a WebSocket leg; a WebSocket on its way to another worker or edge
    link                       a WebSocket leg on a connection of its own
    trunk  signals             where nodes dial in, and what they say
    probe  probe_http2         whether a node lives that has no trunk
    discovery/                 nodes from DNS, files, Kubernetes
"""
