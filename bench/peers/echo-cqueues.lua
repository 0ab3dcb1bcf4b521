-- SPDX-License-Identifier: LGPL-3.0-or-later
-- An echo server on cqueues, for bench/echo.scm: a coroutine for each connection.
-- cqueues listens with a queue of SOMAXCONN.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

-- What went wrong ends one connection, and not the loop.
local function result(_, _, why)
  return why
end

local function echo(con)
  con:onerror(result)
  con:setmode("bf", "bn")
  -- What has come: con:read (-4096) would ask the kernel once more, for the rest.
  while con:fill(1) do
    local data = con:recv(-con:pending())
    local n, why = con:send(data, 1, #data)
    if why and not con:write(data:sub(n + 1)) then
      break
    end
  end
  con:close()
end

local loop = cqueues.new()
local listener = socket.listen {
  host = "127.0.0.1", port = tonumber(arg[1]), reuseaddr = true
}

loop:wrap(function()
  for con in listener:clients { nodelay = true } do
    loop:wrap(echo, con)
  end
end)

assert(loop:loop())
