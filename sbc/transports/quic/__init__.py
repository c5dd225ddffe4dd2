"""The QUIC door: one UDP socket, the connections behind it, and HTTP/3 on them.

    udp.py         the socket: datagrams in batches, both ways
    door.py        which connection a datagram is for; who may open one     admittance.py  retry_token.py
    connection.py  one connection: its streams are those of HTTP/2          outflow.py  beat.py  budget.py
"""
