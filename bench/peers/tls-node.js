// SPDX-License-Identifier: LGPL-3.0-or-later

// A server of HTTPS on Node, for bench/tls.scm: PORT CERTIFICATE KEY.
const fs = require('fs');
const https = require('https');
const large = Buffer.alloc(1048576, 'a');

https.createServer({
  cert: fs.readFileSync(process.argv[3]),
  key: fs.readFileSync(process.argv[4])
}, (request, response) => {
  const body = request.url === '/large' ? large : 'Hello, World!';
  response.writeHead(200, {'Content-Type': 'text/plain',
                           'Content-Length': body.length});
  response.end(body);
}).listen(+process.argv[2], '127.0.0.1', 4096);
