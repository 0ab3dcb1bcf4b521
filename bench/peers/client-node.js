// SPDX-License-Identifier: LGPL-3.0-or-later

// Requests by Node's http, for bench/client.scm: PORT REQUESTS CONNECTIONS; prints
// the nanoseconds they took.
const http = require('http');
const [port, requests, connections] = process.argv.slice(2).map(Number);
const agent = new http.Agent({keepAlive: true, maxSockets: connections});
let left = requests;
let working = connections;
const begun = process.hrtime.bigint();

function work() {
  if (left === 0) {
    if (--working === 0) {
      console.log(String(process.hrtime.bigint() - begun));
      agent.destroy();
    }
    return;
  }
  left--;
  http.get({host: '127.0.0.1', port: port, path: '/', agent: agent}, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('end', () => {
      if (response.statusCode !== 200 ||
          Buffer.concat(parts).toString() !== 'Hello, World!')
        throw new Error('another response');
      work();
    });
  });
}

for (let i = 0; i < connections; i++)
  work();
