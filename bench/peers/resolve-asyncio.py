# SPDX-License-Identifier: LGPL-3.0-or-later
# resolve-asyncio.py COUNT AT-ONCE PREFIX: looks COUNT different names up and prints
# how many that were a second.
import asyncio, socket, sys, time


async def main(count, at_once, prefix):
    loop = asyncio.get_running_loop()
    numbers = iter(range(count))

    async def look_up():
        for number in numbers:
            await loop.getaddrinfo(f"{prefix}-{number}.test", 80,
                                   family=socket.AF_INET,
                                   type=socket.SOCK_STREAM)

    start = time.perf_counter()
    await asyncio.gather(*(look_up() for _ in range(at_once)))
    print(count / (time.perf_counter() - start))

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
