# SPDX-License-Identifier: LGPL-3.0-or-later
"""An echo server on asyncio, for bench/echo.scm: on its own loop or on uvloop's,
echo-asyncio.py asyncio|uvloop PORT.  Both set TCP_NODELAY."""

import asyncio
import importlib
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


loop = importlib.import_module(sys.argv[1]).new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(main(int(sys.argv[2])))
