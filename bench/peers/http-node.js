// SPDX-License-Identifier: LGPL-3.0-or-later

// A server of HTTP on Node, for bench/http.scm: PORT FILE.
const fs = require('fs');
const http = require('http');
const page = Buffer.alloc(10240, 'a');
const large = Buffer.alloc(1048576, 'a');
const file = process.argv[3];

function send(response, type, body) {
  response.writeHead(200, {'Content-Type': type, 'Content-Length': body.length});
  response.end(body);
}

http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  if (request.method === 'POST') {
    let size = 0;
    request.on('data', (data) => { size += data.length; });
    request.on('end', () => send(response, 'text/plain;charset=utf-8', String(size)));
  } else if (path === '/10k')
    send(response, 'text/html;charset=utf-8', page);
  else if (path === '/1m')
    send(response, 'text/html;charset=utf-8', large);
  else if (path === '/file.html')
    fs.open(file, (error, fd) => {
      fs.fstat(fd, (error, stat) => {
        response.writeHead(200, {'Content-Type': 'text/html',
                                 'Content-Length': stat.size,
                                 'Last-Modified': stat.mtime.toUTCString()});
        fs.createReadStream(null, {fd: fd}).pipe(response);
      });
    });
  else
    send(response, 'text/plain;charset=utf-8', 'Hello, World!');
}).listen(+process.argv[2], '127.0.0.1', 4096);
