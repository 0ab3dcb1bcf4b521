-- SPDX-License-Identifier: LGPL-3.0-or-later

-- What wrk asks for in bench/http.scm: requests as browsers send them, each another
-- path, query, referer and cookie, from a few agents and languages; or one of the
-- other kinds.  The last line that is printed has the numbers.
local agents = {
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
}
local languages = {
  "en-US,en;q=0.9", "de,en-US;q=0.7,en;q=0.3", "fr-FR,fr;q=0.8,en;q=0.5",
}
local count = 5000
local requests = {}
local next_request = 0

local function headers (i)
  return {
    ["Host"] = "www.example.org",
    ["User-Agent"] = agents[i % #agents + 1],
    ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ["Accept-Language"] = languages[i % #languages + 1],
    ["Accept-Encoding"] = "gzip, deflate, br",
    ["Referer"] = string.format ("https://www.example.org/articles/%d/", i % 500),
    ["Cache-Control"] = "max-age=0",
    ["Upgrade-Insecure-Requests"] = "1",
    ["Cookie"] = string.format ("session=%08x%08x; theme=dark; visits=%d",
                                i * 2654435761 % 4294967296, i * 40503 % 65536, i),
  }
end

local kinds = {}

function kinds.get (i)
  return wrk.format ("GET", string.format ("/articles/%d/section-%d?page=%d&q=term%d",
                                           i * 7919 % 10007, i % 13, i % 100, i),
                     headers (i))
end

function kinds.post (i)
  local h = headers (i)
  local start = string.format ('{"id":%d,"name":"user %d","text":"', i, i)
  h["Content-Type"] = "application/json"
  return wrk.format ("POST", "/json?id=" .. i, h,
                     start .. string.rep ("x", 1024 - #start - 2) .. '"}')
end

local function page (path)
  return function (i)
    return wrk.format ("GET", path .. "?v=" .. i, headers (i))
  end
end

kinds["10k"] = page ("/10k")
kinds["1m"] = page ("/1m")
kinds.file = page ("/file.html")

function init (args)
  local make = kinds[args[1]]
  for i = 1, count do
    requests[i] = make (i)
  end
end

function request ()
  next_request = next_request % count + 1
  return requests[next_request]
end

function done (summary, latency, times)
  local errors = summary.errors
  print (string.format ("\n%d %d %d %d %d %d", summary.requests, summary.duration,
                        latency:percentile (50), latency:percentile (99),
                        latency:percentile (99.9),
                        errors.connect + errors.read + errors.write
                        + errors.status + errors.timeout))
end
