"""A process that sends 20 datagrams to ADDRESS with the byte MARK in their heads (IP_TOS)."""

import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
    line.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, int(sys.argv[2]))
    for _ in range(20):
        line.sendto(b"x", (sys.argv[1], 9))
