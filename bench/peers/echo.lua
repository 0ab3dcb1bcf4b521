-- SPDX-License-Identifier: LGPL-3.0-or-later
-- An echo server on cqueues, one coroutine per connection, for bench/echo.scm.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local function echo(connection)
  connection:setmode("bn", "bn")
  -- A peer that goes away ends the loop, not the server.
  connection:onerror(function (_, _, code) return code end)
  while true do
    local bytes = connection:read(-4096)
    if not bytes or not connection:write(bytes) then
      break
    end
  end
  connection:close()
end

local queue = cqueues.new()
local listener = socket.listen {
  host = "127.0.0.1",
  port = tonumber(arg[1]),
  reuseaddr = true,
  nodelay = true,
}
queue:wrap(function ()
  for connection in listener:clients { nodelay = true } do
    queue:wrap(echo, connection)
  end
end)
assert(queue:loop())
