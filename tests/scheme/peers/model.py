# SPDX-License-Identifier: LGPL-3.0-or-later
"""Python's side of the stateful test of sockets: one operation a line on standard
input, (harness model) says which; one line of result each.  Results are bytes in
hexadecimal, numbers, addresses without what the kernel chose, or E and the errno."""

import select
import socket
import sys

PREFIX = sys.argv[1]
FAMILIES = {"unix": socket.AF_UNIX, "inet": socket.AF_INET,
            "inet6": socket.AF_INET6, "netlink": socket.AF_NETLINK}
TYPES = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM,
         "seqpacket": socket.SOCK_SEQPACKET, "raw": socket.SOCK_RAW}
OPTIONS = {"reuseaddr": socket.SO_REUSEADDR, "keepalive": socket.SO_KEEPALIVE,
           "broadcast": socket.SO_BROADCAST, "rcvbuf": socket.SO_RCVBUF,
           "sndbuf": socket.SO_SNDBUF, "type": socket.SO_TYPE,
           "error": socket.SO_ERROR, "acceptconn": socket.SO_ACCEPTCONN}
slots = {}


def text(sock, address):
    if sock.family == socket.AF_UNIX:
        name = address if isinstance(address, bytes) else (address or "").encode()
        return "-" if not name else name[1 + len(PREFIX):].decode()
    if sock.family == socket.AF_NETLINK:
        return "netlink " + ("p" if address[0] else "0") + " " + str(address[1])
    return address[0] + (" p" if address[1] else " 0")


def name_of(family, word):
    if family == socket.AF_UNIX:
        return b"\0" + PREFIX.encode() + word.encode()
    if family == socket.AF_NETLINK:
        return (0, 0)
    return ("127.0.0.1" if family == socket.AF_INET else "::1", 0)


def put(slot, sock):
    sock.setblocking(False)
    if slot in slots:
        slots[slot].close()
    slots[slot] = sock
    return "ok"


def wait(sock, word):
    select.select([sock], [], [], {"now": 0, "soon": 0.005, "wait": 10}[word])


def do(op, slot, *rest):
    if op == "open":
        return put(slot, socket.socket(FAMILIES[rest[0]], TYPES[rest[1]], 0))
    if op == "pair":
        a, b = socket.socketpair(socket.AF_UNIX, TYPES[rest[1]], 0)
        put(slot, a)
        return put(rest[0], b)
    if slot not in slots:
        return "none"
    sock = slots[slot]
    if op == "close":
        slots.pop(slot).close()
        return "ok"
    if op == "bind":
        sock.bind(name_of(sock.family, rest[0]))
        return "ok"
    if op == "listen":
        sock.listen(int(rest[0]))
        return "ok"
    if op == "connect":
        sock.setblocking(sock.family != socket.AF_UNIX)
        try:
            sock.connect(slots[rest[0]].getsockname())
        finally:
            sock.setblocking(False)
        return "ok"
    if op == "accept":
        wait(sock, rest[1])
        return put(rest[0], sock.accept()[0])
    if op == "send":
        return str(sock.send(bytes.fromhex(rest[0][1:])))
    if op == "sendto":
        return str(sock.sendto(bytes.fromhex(rest[0][1:]),
                               slots[rest[1]].getsockname()))
    if op in ("recv", "recvfrom"):
        wait(sock, rest[2])
        flags = socket.MSG_PEEK if rest[1] == "peek" else 0
        if op == "recv":
            return "x" + sock.recv(int(rest[0]), flags).hex()
        data, address = sock.recvfrom(int(rest[0]), flags)
        return "x" + data.hex() + " " + text(sock, address)
    if op == "shutdown":
        sock.shutdown(int(rest[0]))
        return "ok"
    if op == "getsockname":
        return text(sock, sock.getsockname())
    if op == "getpeername":
        return text(sock, sock.getpeername())
    if op == "get":
        return str(sock.getsockopt(socket.SOL_SOCKET, OPTIONS[rest[0]]))
    if op == "set":
        sock.setsockopt(socket.SOL_SOCKET, OPTIONS[rest[0]], int(rest[1]))
        return "ok"
    raise ValueError(op)


for line in sys.stdin:
    words = line.split()
    if words[0] == "reset":
        for sock in slots.values():
            sock.close()
        slots.clear()
        continue
    if words[0] == "flush":
        sys.stdout.flush()
        continue
    try:
        result = do(*words)
    except OSError as error:
        again = error.errno in (11, 115)
        result = "again" if again else "E%d" % error.errno
    print(result)
