-- wrk's script: one text for each request, other texts all the time; one line of JSON at the end.
-- Arguments: a file with one JSON body per line, the path to ask ("-" as the file: GET without a body).
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("offset", threads * 1009)
end

function init(args)
  requests = {}
  if args[1] == "-" then
    requests[1] = wrk.format("GET", args[2])
  else
    local headers = { ["content-type"] = "application/json" }
    for body in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("POST", args[2], headers, body)
    end
  end
  turn = offset
end

function request()
  turn = turn + 1
  return requests[turn % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "not_200": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
