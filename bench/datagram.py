# SPDX-License-Identifier: LGPL-3.0-or-later
"""What Python does in bench/datagram.scm: datagram.py WORK SIZE COUNT ROUNDS
prints datagrams a second."""
import socket
import sys
import time

work, size, count, rounds = sys.argv[1], *map(int, sys.argv[2:])


def udp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    try:
        sock.setsockopt(socket.SOL_SOCKET, 33, 8000000)  # SO_RCVBUFFORCE
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8000000)
    return sock


def drain(sock):
    try:
        while True:
            sock.recv(65536, socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass


one, two = udp(), udp()
to, data, buffer = two.getsockname(), bytes(size), bytearray(size)
spent = 0
for _ in range(rounds):
    if work != "send":
        for _ in range(count):
            one.sendto(data, to)
    start = time.perf_counter_ns()
    if work == "send":
        for _ in range(count):
            one.sendto(data, to)
    elif work == "receive":
        for _ in range(count):
            two.recvfrom_into(buffer)
    else:
        for _ in range(count):
            _, peer = two.recvfrom_into(buffer)
            two.sendto(buffer, peer)
    spent += time.perf_counter_ns() - start
    drain(one)
    drain(two)
print(count * rounds * 1e9 / spent)
