-- A chat request of about a kilobyte for wrk, and its summary as one line of JSON (times in microseconds).
local text = string.rep("What does a proxy cost that reads every request? ", 18)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer sk-relay-benchmark"
wrk.body = '{"model":"sim-small","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"' .. text .. '"}]}'

function done(summary, latency, requests)
    local failed = summary.errors
    io.write(string.format(
        '\nSUMMARY {"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "failed": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
