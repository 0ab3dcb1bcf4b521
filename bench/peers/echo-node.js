// SPDX-License-Identifier: LGPL-3.0-or-later
// An echo server on Node, for bench/echo.scm.

require("net")
  .createServer({ noDelay: true }, (socket) => {
    socket.on("data", (data) => socket.write(data));
    socket.on("error", () => socket.destroy());
  })
  .listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
