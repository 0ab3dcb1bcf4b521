# SPDX-License-Identifier: LGPL-3.0-or-later
"""An echo server on asyncio, for bench/echo.scm; with a second argument, on the
loop of that module, uvloop."""

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


if len(sys.argv) > 2:
    importlib.import_module(sys.argv[2]).install()
asyncio.run(main(int(sys.argv[1])))
