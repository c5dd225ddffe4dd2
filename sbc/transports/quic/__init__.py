"""The QUIC door: one UDP socket, the connections behind it, and HTTP/3 on them.

    udp  door  admittance  retry_token      the socket; whose a datagram is; who may open a connection, and shows how
    connection  outflow  beat  budget       one connection: its streams, what it writes and when, what it may ask for
    keeper                                  what door and connection know of each other
    session_door  session_messages  webtransport_doorstep  webtransport  frame_cutter       WebTransport
    steering  sorting  passing              among the processes of one edge
"""
