# SPDX-License-Identifier: LGPL-3.0-or-later
"""Tasks and queues of asyncio at work: usage: channel-asyncio.py ROW; for each line
that is read, prints nanoseconds for each hop, leaf, choice or task, as channel.scm.
A queue with room for one is what comes next to a channel."""

import asyncio
import sys
import time

tasks = set()


def channel():
    return asyncio.Queue(1)


def spawn(coroutine):
    task = asyncio.ensure_future(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


async def putting(to, count):
    for _ in range(count):
        await to.put(1)


async def getting(source, count):
    for _ in range(count):
        await source.get()


async def link(source, to, count):
    for _ in range(count):
        await to.put(await source.get())


async def ping(to, source, count):
    for _ in range(count):
        await to.put(1)
        await source.get()


async def pong(source, to, count):
    for _ in range(count):
        await source.get()
        await to.put(2)


async def ping_pong():
    players = []
    for _ in range(10):
        to, back = channel(), channel()
        players.append(spawn(ping(to, back, 200)))
        players.append(spawn(pong(to, back, 200)))
    await asyncio.gather(*players)
    return 4000


async def chain():
    first = last = channel()
    for _ in range(10):
        to = channel()
        spawn(link(last, to, 200))
        last = to
    spawn(putting(first, 200))
    await getting(last, 200)
    return 2200


async def diagonal():
    first, last = channel(), channel()
    for _ in range(10):
        spawn(link(first, last, 100))
    spawn(putting(first, 1000))
    await getting(last, 1000)
    return 2000


async def fan_out():
    source = channel()
    getters = [spawn(getting(source, 200)) for _ in range(10)]
    await putting(source, 2000)
    await asyncio.gather(*getters)
    return 2000


async def numbers(to):
    n = 2
    while True:
        await to.put(n)
        n += 1


async def without(prime, source, to):
    while True:
        n = await source.get()
        if n % prime:
            await to.put(n)


async def sieve():
    source = channel()
    spawn(numbers(source))
    for _ in range(100):
        prime, to = await source.get(), channel()
        spawn(without(prime, source, to))
        source = to
    return 100


async def leaf_or_branch(number, size):
    if size == 1:
        return number
    part = size // 10
    return sum(await asyncio.gather(*(leaf_or_branch(number + i * part, part)
                                      for i in range(10))))


async def skynet():
    await leaf_or_branch(0, 10000)
    return 10000


async def in_turn(a, b, count):
    for _ in range(count):
        await a.put(1)
        await b.put(2)


async def choice():
    a, b = channel(), channel()
    spawn(in_turn(a, b, 250))
    waiting = {spawn(a.get()): a, spawn(b.get()): b}
    for _ in range(500):
        done, _ = await asyncio.wait(waiting, timeout=60,
                                     return_when=asyncio.FIRST_COMPLETED)
        task = done.pop()
        queue = waiting.pop(task)
        waiting[spawn(queue.get())] = queue
        # Both may have been done; the other is found again.
    return 500


async def start():
    await asyncio.gather(*(spawn(asyncio.sleep(0)) for _ in range(20000)))
    return 20000


async def end_all():
    ended = list(tasks)
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)


async def main(row):
    await row()
    await end_all()
    for _ in sys.stdin:
        passed = count = 0
        while passed < 100_000_000:
            before = time.perf_counter_ns()
            count += await row()
            passed += time.perf_counter_ns() - before
            await end_all()
        print(passed / count, flush=True)


asyncio.run(main({"ping-pong": ping_pong, "chain": chain, "diagonal": diagonal,
                  "fan-out": fan_out, "sieve": sieve, "skynet": skynet,
                  "choice": choice, "start": start}[sys.argv[1]]))
