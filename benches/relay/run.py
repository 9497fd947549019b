"""What relaying costs: hone against nginx and against a direct call, in one run, as ratios. Usage: run.py [--rounds N] [--seconds S]

Builds the release binary, starts everything on free ports of this machine, and needs nginx and wrk. See BENCHMARKS.md.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

import load
import servers

ROOT = servers.HERE.parents[1]
BINARY = ROOT / "target/release/hone"
CONNECTIONS = 32
STREAMS = {"connections": 40, "rounds": 2}
EVENTS = {"tokens": 200, "tokens_per_second": 200}


def completion():
    """A chat completion of about a kilobyte, as a provider would write it."""
    message = {"role": "assistant", "content": "It costs less than the model does. " * 18, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-benchmark",
            "object": "chat.completion",
            "created": 1750000000,
            "model": "sim-small",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 230, "completion_tokens": 130, "total_tokens": 360},
            "system_fingerprint": "fp_benchmark",
        }
    )


def whole_answers(server, seconds):
    """A saturated run for throughput and CPU time, and one request at a time for latency."""
    before = server.cpu_seconds()
    busy = load.wrk(server.port, CONNECTIONS, seconds)
    used = server.cpu_seconds() - before
    alone = load.wrk(server.port, 1, 1)
    return {
        "cpu_us_per_request": used * 1e6 / busy["requests"],
        "requests_per_second": busy["requests"] * 1e6 / busy["us"],
        "busy_p50_us": busy["p50_us"],
        "busy_p99_us": busy["p99_us"],
        "alone_p50_us": alone["p50_us"],
        "alone_p99_us": alone["p99_us"],
        "resident_kib": server.resident_kib(),
    }


def paced_streams(server, _seconds):
    """A fixed number of streams whose pace the upstream sets, so that all targets move the same events in the same time."""
    before = server.cpu_seconds()
    events, seconds, firsts = load.streams(server.port, **STREAMS)
    used = server.cpu_seconds() - before
    return {
        "cpu_us_per_event": used * 1e6 / events,
        "events_per_second": events / seconds,
        "first_event_p50_us": firsts[len(firsts) // 2] * 1e6,
        "first_event_p99_us": firsts[len(firsts) * 99 // 100] * 1e6,
        "resident_kib": server.resident_kib(),
    }


def interleaved(targets, measure, rounds, seconds):
    """Measures every target once a round, so that what else the machine does falls on all of them."""
    for server in targets.values():
        server.wait()
        measure(server, 1)
    runs = {name: [] for name in targets}
    for turn in range(rounds):
        names = list(targets)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            runs[name].append(measure(targets[name], seconds))
    return runs


def ratio(runs, over, under, figure):
    """The median of the rounds' ratios: each round compares what ran within seconds of each other."""
    return statistics.median(a[figure] / b[figure] for a, b in zip(runs[over], runs[under]))


def summary(runs):
    """Each target's medians, and hone's ratios to the others."""
    figures = list(runs["hone"][0])
    medians = {name: {figure: statistics.median(run[figure] for run in taken) for figure in figures} for name, taken in runs.items()}
    ratios = {
        f"hone / {other}": {figure: ratio(runs, "hone", other, figure) for figure in figures} for other in runs if other != "hone"
    }
    return {"medians": medians, "ratios": ratios, "rounds": runs}


def table(title, rows):
    figures = list(next(iter(rows.values())))
    lines = [f"| {title} | " + " | ".join(rows) + " |", "|---|" + "---:|" * len(rows)]
    for figure in figures:
        cells = (f"{row[figure]:,.2f}" if row[figure] < 100 else f"{row[figure]:,.0f}" for row in rows.values())
        lines.append(f"| {figure.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def compare(directory, upstream, measure, options):
    """One upstream, reached directly, through nginx twice, and through hone."""
    directory.mkdir()
    targets = {"direct": upstream}
    try:
        upstream.wait()
        targets["nginx"] = servers.nginx_proxy(directory / "nginx", upstream, checked=False)
        targets["nginx, logs and limits"] = servers.nginx_proxy(directory / "nginx-checked", upstream, checked=True)
        targets["hone"] = servers.hone(options.binary, directory / "hone", upstream)
        return summary(interleaved(targets, measure, options.rounds, options.seconds))
    finally:
        for server in reversed(targets.values()):
            server.stop()


def machine():
    version = subprocess.run([servers.program("nginx"), "-v"], check=True, capture_output=True, text=True).stderr.strip()
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    return {
        "cpu": ", ".join(sorted(models)) or platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "nginx": version,
        "load_average_before": os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def arguments():
    parser = argparse.ArgumentParser(description="relay and stream cost of hone against nginx and a direct call")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each saturated run")
    parser.add_argument("--binary", type=pathlib.Path, help="measure this one instead of building")
    parser.add_argument("--output", type=pathlib.Path, default=servers.HERE / "results.json")
    return parser.parse_args()


def main():
    options = arguments()
    if not options.binary:
        subprocess.run(["cargo", "build", "--release", "--locked"], check=True, cwd=ROOT)
        options.binary = BINARY
    results = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="hone-relay-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        static = servers.nginx("upstream.conf.in", directory / "upstream", ANSWER=completion())
        results["answers"] = compare(directory / "answers", static, whole_answers, options)
        simulated = servers.sim(options.binary, directory / "sim", **EVENTS)
        results["streams"] = compare(directory / "streams", simulated, paced_streams, options)
    options.output.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results["machine"], indent=1))
    for part in ("answers", "streams"):
        print(f"\n{table(part, results[part]['medians'])}\n\n{table(part, results[part]['ratios'])}")


if __name__ == "__main__":
    main()
