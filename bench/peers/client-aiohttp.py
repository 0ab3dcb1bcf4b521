# SPDX-License-Identifier: LGPL-3.0-or-later

# Requests by aiohttp and uvloop, for bench/client.scm: PORT REQUESTS CONNECTIONS;
# prints the nanoseconds they took.
import asyncio
import sys
import time

import aiohttp
import uvloop

PORT, REQUESTS, CONNECTIONS = map(int, sys.argv[1:])
URI = "http://127.0.0.1:%d/" % PORT
left = REQUESTS


async def work(session):
    global left
    while left > 0:
        left -= 1
        async with session.get(URI) as response:
            body = await response.text()
            if response.status != 200 or body != "Hello, World!":
                raise RuntimeError("another response")


async def main():
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        begun = time.monotonic_ns()
        await asyncio.gather(*(work(session) for _ in range(CONNECTIONS)))
        print(time.monotonic_ns() - begun)


uvloop.install()
asyncio.run(main())
