// SPDX-License-Identifier: LGPL-3.0-or-later
// The page's end of the WebSocket: what is typed goes out, what comes is shown.
// A connection that ends is made anew, after a while that doubles.

const find = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.search);
let socket = null;
let name = parameters.get('name');
let pause = 500;

function show(text, from) {
  const item = document.createElement('li');
  if (from === undefined) {
    item.className = 'note';
  } else {
    const who = document.createElement('b');
    who.textContent = from + ' ';
    item.append(who);
  }
  item.append(text);
  const messages = find('messages');
  messages.append(item);
  if (messages.children.length > 500) messages.firstChild.remove();
  messages.scrollTop = messages.scrollHeight;
}

function bytes(count) {
  return count < 10000 ? String(count) : Math.round(count / 1024) + ' KiB';
}

function showConnections({ connections, uptime }) {
  find('connections').replaceChildren(...connections.map((c) => {
    const row = document.createElement('tr');
    const cells = [c.name ?? '(no name yet)', c.peer, c.seconds, c.messages,
      (c.rtt / 1000).toFixed(2) + ' ms', c.window, bytes(c.received),
      bytes(c.acked)];
    for (const value of cells) {
      row.insertCell().textContent = value;
    }
    return row;
  }));
  find('summary').textContent =
    `${connections.length} connected; the server has run for ${uptime} s`;
}

function receive(message) {
  if (message.connections) {
    showConnections(message);
  } else if (message.text) {
    show(message.text, message.from);
  } else if (message.come) {
    show(message.come + ' has come');
  } else if (message.gone) {
    show(message.gone + ' has gone');
  }
}

function enter() {
  find('label').textContent = `Message, as ${name}`;
  document.querySelector('button').textContent = 'Send';
  socket.send(name);
}

function state(kind, text) {
  find('state').textContent = text;
  find('state').className = kind;
}

function connect() {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  socket = new WebSocket(`${scheme}//${location.host}/chat`);
  socket.onopen = () => {
    pause = 500;
    state('open', 'connected');
    if (name) {
      enter();
      const said = parameters.get('say');
      if (said) socket.send(said);
    }
  };
  socket.onmessage = (event) => receive(JSON.parse(event.data));
  socket.onclose = () => {
    state('closed', 'no connection; trying again…');
    setTimeout(connect, pause);
    pause = Math.min(2 * pause, 30000);
  };
}

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = find('text').value.trim();
  if (!text || socket.readyState !== WebSocket.OPEN) return;
  if (name) {
    socket.send(text);
  } else {
    name = text;
    enter();
  }
  find('text').value = '';
});

connect();
