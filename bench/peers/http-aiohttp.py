# SPDX-License-Identifier: LGPL-3.0-or-later

# A server of HTTP on aiohttp and uvloop, for bench/http.scm: PORT FILE.
import sys

import uvloop
from aiohttp import web

PAGE = b"a" * 10240
LARGE = b"a" * 1048576


async def hello(request):
    return web.Response(text="Hello, World!")


async def json(request):
    return web.Response(text=str(len(await request.read())))


async def page(request):
    return web.Response(body=PAGE, content_type="text/html")


async def large(request):
    return web.Response(body=LARGE, content_type="text/html")


async def file(request):
    return web.FileResponse(sys.argv[2])


uvloop.install()
app = web.Application()
app.router.add_get("/10k", page)
app.router.add_get("/1m", large)
app.router.add_get("/file.html", file)
app.router.add_post("/json", json)
app.router.add_get("/{path:.*}", hello)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None,
            print=None, backlog=4096)
