# SPDX-License-Identifier: LGPL-3.0-or-later
"""What Python does in bench/message.scm: message.py exchange|pass SIZE COUNT
prints nanoseconds for one message sent and received."""
import os
import socket
import sys
import time

work, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
out, into = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
half = bytes(size // 2)
first, second = bytearray(size // 2), bytearray(size - size // 2)
start = time.perf_counter_ns()
if work == "exchange":
    for _ in range(count):
        out.sendmsg([half, half])
        into.recvmsg_into([first, second], 1280)
else:
    for _ in range(count):
        socket.send_fds(out, [b"x"], [out.fileno()])
        os.close(socket.recv_fds(into, 1, 1)[1][0])
print((time.perf_counter_ns() - start) / count)
