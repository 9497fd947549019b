"""The sections of the benchmark. Each starts its own servers and returns its figures and the aims that they are held against.

Figures of a target are CPU microseconds (`cpu_us_…`) of its processes, microseconds (`…_us`) and kibibytes (`…_kib`).
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request

import load
import report
from dialects import PAIRS, asked, title
from servers import running

QUESTION = "What does a proxy cost that reads every request? "
STREAM = {"tokens": 200, "rate": 200}
# Requests a second beside clients that do not read, and the tokens that each of these asks for: some 8 MB, more than the kernel buffers.
READERS = {"rate": 200, "tokens": 40_000}


def messages(size):
    """A conversation of about `size` bytes in turns of about 2 KB."""
    text = (QUESTION * 41)[: min(size, 2000)]
    roles = ["user", "assistant"]
    return [{"role": "system", "content": "You are brief."}] + [
        {"role": roles[turn % 2], "content": text} for turn in range(max(1, size // 2000))
    ]


def picture(size):
    """A question about an image of about `size` bytes, in the body as a data URL."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * (size // 11)}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]


def interleaved(targets, measure, options, warm=None):
    """Measures every target once a round, so that what else the machine does falls on all of them."""
    for target in targets.values():
        (warm or measure)(target)
    runs = {name: [] for name in targets}
    for turn in range(options.rounds):
        names = list(targets)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            runs[name].append(measure(targets[name]))
    return runs


def less_direct(runs, figures):
    """Adds to each round what a target adds to the same round's direct figure, never less than nothing."""
    for name, rounds in runs.items():
        for run, direct in zip(rounds, runs["direct"]):
            run.update({f"added_{figure}": max(0.0, run[figure] - direct[figure]) for figure in figures})
    return runs


def added(table, figure):
    """What hone adds to what nginx adds, by their medians; None where nginx adds nothing that can be seen, so that there is nothing to compare with."""
    hone, nginx = (table["medians"][name][f"added_{figure}"] for name in ("hone", "nginx"))
    return hone / nginx if nginx > 0 else None


def proxies(bench, upstream):
    """The three that every section compares."""
    return {"nginx": bench.proxy(upstream), "floor": bench.floor(upstream), "hone": bench.hone(upstream)}


def saturated(bench, body, options, **how):
    def measure(server):
        figures = load.charged(bench, "saturate", server, body, **{"seconds": options.seconds, **how})
        return {
            "cpu_us_per_request": figures["cpu"] * 1e6 / figures["requests"],
            "requests_per_second": figures["requests"] / figures["seconds"],
            "busy_p50_us": figures["latency"]["p50_us"],
            "busy_p99_us": figures["latency"]["p99_us"],
        }

    return measure


def relay(bench, options):
    """Chat requests of 1 KB, as many as 32 senders can send, over HTTP/1.1 and over HTTP/2 to the proxy."""
    body = bench.body("small", messages=messages(900))
    upstream = bench.upstream()
    with running(direct=upstream):
        checked = bench.proxy(upstream, checked=True)
        with running(**proxies(bench, upstream), **{"nginx, logs and limits": checked}) as servers:
            targets = {"direct": upstream, **servers}
            one = report.summary(interleaved(targets, saturated(bench, body, options), options))
            two = saturated(bench, body, options, http2=True, connections=4, each=8)
            two = report.summary(interleaved(targets, two, options))
    cpu = one["ratios"]
    aims = [
        report.aim("CPU of a relayed 1 KB request, to nginx's", cpu["hone / nginx"]["cpu_us_per_request"], 1.5),
        report.aim("CPU of a relayed 1 KB request, to the floor's", cpu["hone / floor"]["cpu_us_per_request"], 1.25),
        report.aim("requests a second, to nginx's", cpu["hone / nginx"]["requests_per_second"], 0.8, at_least=True),
    ]
    return {"tables": {"HTTP/1.1, 1 KB": one, "HTTP/2, 1 KB": two}, "aims": aims}


def paced(bench, options):
    """Half of nginx's most, on a schedule: what a target adds to the time of a direct request."""
    body = bench.body("small", messages=messages(900))
    upstream = bench.upstream()
    with running(direct=upstream), running(**proxies(bench, upstream)) as servers:
        targets = {"direct": upstream, **servers}
        most = statistics.median(saturated(bench, body, options)(targets["nginx"])["requests_per_second"] for _ in range(3))
        rate = round(most / 2)

        def measure(server):
            figures = load.charged(bench, "paced", server, body, rate=rate, seconds=options.seconds)
            cpu = figures["cpu"] * 1e6 / figures["requests"]
            return {"p50_us": figures["latency"]["p50_us"], "p99_us": figures["latency"]["p99_us"], "cpu_us_per_request": cpu}

        runs = interleaved(targets, measure, options)
    table = report.summary(less_direct(runs, ["p50_us", "p99_us"]))
    aims = [report.aim("added p99 at half of nginx's most, to nginx's", added(table, "p99_us"), 1.5)]
    return {"tables": {f"HTTP/1.1, 1 KB, {rate:,} a second": table}, "aims": aims}


def bodies(bench, options):
    """A long conversation, and images as data URLs."""
    sizes = {
        "100 KB": (bench.body("long", messages=messages(100_000)), 16),
        "5 MB": (bench.body("images", messages=picture(5_000_000)), 4),
    }
    # nginx would answer before it has read the body, which no provider does: connections would then be closed for want of a better end.
    upstream = bench.sim()
    tables, aims = {}, []
    with running(direct=upstream), running(**proxies(bench, upstream)) as servers:
        for name, (body, connections) in sizes.items():
            megabytes = body.stat().st_size / 1e6

            def measure(server):
                figures = load.charged(bench, "saturate", server, body, connections=connections, seconds=options.seconds)
                return {
                    "cpu_us_per_megabyte": figures["cpu"] * 1e6 / figures["requests"] / megabytes,
                    "megabytes_per_second": figures["requests"] * megabytes / figures["seconds"],
                    "p50_us": figures["latency"]["p50_us"],
                    "p99_us": figures["latency"]["p99_us"],
                    "resident_kib": server.resident_kib(),
                }

            tables[name] = report.summary(interleaved({"direct": upstream, **servers}, measure, options))
            ratio = tables[name]["ratios"]["hone / nginx"]["cpu_us_per_megabyte"]
            aims.append(report.aim(f"CPU of a byte in bodies of {name}, to nginx's", ratio, 1.5))
    return {"tables": tables, "aims": aims}


def keys(bench, options):
    """Callers: one, a thousand, a hundred thousand. Each number has its own hone, and every key is used before anything is measured."""
    body = bench.body("small", messages=messages(900))
    numbers = {"1 key": 1, "1,000 keys": 1000, "100,000 keys": 100_000}
    upstream = bench.upstream()
    with running(direct=upstream), running(**{name: bench.hone(upstream) for name in numbers}) as servers:
        count = {server: numbers[name] for name, server in servers.items()}

        def ask(server, requests):
            figures = load.charged(bench, "saturate", server, body, keys=count[server], requests=requests, seconds=120)
            return {
                "cpu_us_per_request": figures["cpu"] * 1e6 / figures["requests"],
                "requests_per_second": figures["requests"] / figures["seconds"],
                "resident_kib": server.resident_kib(),
            }

        requests = 20_000 if options.quick else 100_000
        runs = interleaved(servers, lambda server: ask(server, requests), options, warm=lambda server: ask(server, 100_000))
    table = report.summary(runs, over="100,000 keys")
    ratio = table["ratios"]["100,000 keys / 1 key"]["cpu_us_per_request"]
    return {"tables": {"keys": table}, "aims": [report.aim("CPU of a request with 100,000 keys, to one key's", ratio, 1.1)]}


def streams(bench, options):
    """Forty streams of 200 events, an event each 5 ms: the upstream sets the pace, so that CPU time and delays are what differs."""
    body = bench.body("stream", messages=messages(900), stream=True)
    sim = bench.sim("--tokens-per-second", str(STREAM["rate"]), answer_tokens=STREAM["tokens"])
    with running(direct=sim), running(**proxies(bench, sim)) as servers:

        def measure(server):
            figures = load.charged(bench, "streams", server, body, streams=40, rounds=2)
            return {
                "cpu_us_per_event": figures["cpu"] * 1e6 / figures["events"],
                "first_event_p50_us": figures["first_event"]["p50_us"],
                "first_event_p99_us": figures["first_event"]["p99_us"],
                "gap_p50_us": figures["gap"]["p50_us"],
                "gap_p99_us": figures["gap"]["p99_us"],
            }

        runs = interleaved({"direct": sim, **servers}, measure, options)
    table = report.summary(less_direct(runs, ["first_event_p50_us", "first_event_p99_us", "gap_p99_us"]))
    ratio = table["ratios"]["hone / nginx"]
    aims = [
        report.aim("CPU of a streamed event, to nginx's", ratio["cpu_us_per_event"], 1.4),
        report.aim("added p99 to the first event, to nginx's", added(table, "first_event_p99_us"), 1.4),
        report.aim("added p99 between events, to nginx's", added(table, "gap_p99_us"), 1.4),
    ]
    return {"tables": {"40 streams": table}, "aims": aims}


def memory(bench, options):
    """Resident memory: at rest, after load, and for each stream that is open and idle. Every target is a fresh process."""
    small, stream = bench.body("small", messages=messages(900)), bench.body("stream", messages=messages(900), stream=True)
    steps = [1, 1000] if options.quick else [1, 1000, 9000]
    held = 1000 if options.quick else 10_000
    sim = bench.sim(answer_tokens=8, faults=[{"fault": "hang_mid_body"}])
    upstream = bench.upstream()
    rows, lost = {}, {}
    with running(sim=sim, upstream=upstream):
        makers = {
            "nginx": lambda to, **how: bench.proxy(to, connections=20_000, **how),
            "floor": bench.floor,
            "hone": bench.hone,
        }
        for name, make in makers.items():
            with running(server=make(upstream)) as servers:
                row = {"idle_kib": at_rest(servers["server"])}
                load.run(bench, "saturate", servers["server"], small, seconds=options.seconds)
                row["after_load_kib"] = servers["server"].resident_kib()
            for count in steps:
                with running(server=make(sim)) as servers:
                    row[f"kib_per_stream_of_{count}"], lost[f"{name}, {count:,}"] = hold(bench, servers["server"], stream, count)
            if name != "nginx":
                with running(server=make(sim, http2=True)) as servers:
                    figures = hold(bench, servers["server"], stream, held, http2=True)
                    row[f"kib_per_stream_of_{held}_http2"], lost[f"{name}, {held:,} over HTTP/2"] = figures
            rows[name] = row
    per_stream = f"kib_per_stream_of_{steps[-1]}"
    runs = {name: [row] for name, row in rows.items()}
    table = report.summary({name: [{key: row.get(key, 0.0) for key in rows["hone"]}] for name, row in rows.items()})
    extra = rows["hone"][per_stream] - rows["nginx"][per_stream]
    aims = [
        report.aim(f"KiB of an open stream more than nginx's, of {steps[-1]:,}", extra, 8),
        report.aim(f"streams lost of {steps[-1]:,} over HTTP/1.1", lost[f"hone, {steps[-1]:,}"], 0),
        report.aim(f"streams lost of {held:,} over HTTP/2", lost[f"hone, {held:,} over HTTP/2"], 0),
    ]
    return {"tables": {"memory": {**table, "rounds": runs}}, "lost": lost, "aims": aims}


def at_rest(server):
    """KiB once the workers have started."""
    time.sleep(0.5)
    return server.resident_kib()


def hold(bench, server, body, count, **how):
    """KiB of each open stream, and how many were lost while all were held for two seconds."""
    before = at_rest(server)
    with load.held(bench, server, body, count, **how) as figures:
        time.sleep(2)
        each = (server.resident_kib() - before) / count
    return each, figures["lost"]


def startup(bench, options):
    """From starting a process to its first relayed answer, at rest before that, and the size of its program."""
    body = bench.body("small", messages=messages(900)).read_bytes()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    upstream = bench.upstream()
    makers = {"nginx": bench.proxy, "floor": bench.floor, "hone": bench.hone}
    runs = {name: [] for name in makers}
    with running(direct=upstream):
        for _ in range(options.rounds * 2):
            for name, make in makers.items():
                server = make(upstream)
                try:
                    first_answer(server, head.encode() + body)
                    took = time.perf_counter() - server.began
                    runs[name].append({"startup_ms": took * 1e3, "resident_kib": server.resident_kib(), "binary_kib": stripped(bench, name)})
                finally:
                    server.stop()
    table = report.summary(runs)
    hone = table["medians"]["hone"]
    aims = [
        report.aim("ms from start to the first answer", hone["startup_ms"], 50),
        report.aim("MiB resident at rest", hone["resident_kib"] / 1024, 15),
        report.aim("MiB of the stripped program", hone["binary_kib"] / 1024, 20),
    ]
    return {"tables": {"start": table}, "aims": aims}


def first_answer(server, request):
    """Waits until the server accepts a connection, and asks once."""
    server.wait()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(request)
        status = client.recv(4096)
    if not status.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"no answer at the start: {status[:200]!r}")


def stripped(bench, name, sizes={}):
    """KiB of the program without symbols."""
    if name not in sizes:
        copy = bench.directory / f"{name}-stripped"
        shutil.copy(bench.binary[name], copy)
        subprocess.run(["strip", copy], check=True)
        sizes[name] = copy.stat().st_size / 1024
    return sizes[name]


def fanout(bench, options):
    """Strategies before a model that takes 200 ms: their time against their depth, and what a call costs hone."""
    tables, aims = {}, []
    # The model of a task: its judges answer in the form that they are asked for.
    sim = bench.sim("--latency-ms", "200", "--accuracy", "0.7")
    with running(sim=sim), running(hone=bench.hone(sim)) as servers:
        hone = servers["hone"]
        plain = bench.body("plain", messages=messages(900))
        rows, worst = {}, 0.0
        one = statistics.median(alone(bench, hone, plain, options))
        # A best of n asks its candidates, then its judges; of free text, a vote asks once which answers agree.
        for slug, count, depth in [("bon", "best_of_n", 2), ("self_consistency", "num_samples", 2)]:
            for n in [8, 64]:
                body = bench.body(f"{slug}-{n}", messages=messages(900), optillm_approach=slug, **{count: n})
                before = calls(sim)
                times = alone(bench, hone, body, options)
                each = (calls(sim) - before) / len(times)
                wall = statistics.median(times)
                rows[f"{slug}, n = {n}"] = {"wall_ms": wall / 1e3, "ideal_ms": depth * one / 1e3, "ratio": wall / one / depth, "calls": each}
                worst = max(worst, wall / one / depth)
        tables["one at a time"] = {"medians": rows}
        many = crowd(bench, hone, sim, plain, options)
        tables["200 at once"] = many
    cpu = many["ratios"]["best of 8 / relayed"]["cpu_us_per_call"]
    aims.append(report.aim("time of a strategy over its ideal, the worst", worst, 1.03))
    aims.append(report.aim("CPU of a call in 200 best of 8 at once, to a relayed request's", cpu, 2))
    return {"tables": tables, "aims": aims}


def alone(bench, server, body, options):
    """The median of several requests one after the other, in microseconds, some times over."""
    count = 3 if options.quick else 8
    return [
        load.run(bench, "saturate", server, body, connections=1, requests=1, seconds=60)["latency"]["p50_us"] for _ in range(count)
    ]


def crowd(bench, hone, sim, plain, options):
    """200 senders: relayed requests, and best of 8. CPU of hone for each call that the model saw."""
    best = bench.body("best-of-8", messages=messages(900), optillm_approach="bon", best_of_n=8)
    kinds = {"relayed": (plain, 2000), "best of 8": (best, 400)}

    def measure(kind):
        body, requests = kinds[kind]
        before = calls(sim)
        figures = load.charged(bench, "saturate", hone, body, connections=200, requests=requests, seconds=120)
        made = calls(sim) - before
        return {"cpu_us_per_call": figures["cpu"] * 1e6 / made, "calls_per_request": made / figures["requests"], "p50_ms": figures["latency"]["p50_us"] / 1e3}

    runs = interleaved({kind: kind for kind in kinds}, measure, options)
    return report.summary(runs, over="best of 8")


def readers(bench, options):
    """Ordinary requests over HTTP/2 to the upstream: alone, and beside clients that do not read, eight for each of hone's workers."""
    body = bench.body("small", messages=messages(900))
    tokens = READERS["tokens"]
    large = {"stream": True, "max_tokens": tokens, "sim": {"answer_tokens": tokens, "chunk_tokens": 1}}
    large = bench.body("large", messages=messages(900), **large)
    sim = bench.sim(answer_tokens=150)
    with running(sim=sim), running(hone=bench.hone(sim, http2=True)) as servers:
        hone = servers["hone"]

        def measure(count):
            with load.stuck(hone, large, count):
                waiting(sim, count)
                time.sleep(1)
                latency = load.run(bench, "paced", hone, body, rate=READERS["rate"], seconds=options.seconds)["latency"]
                waiting(sim, count)
            waiting(sim, 0)
            return {"p50_us": latency["p50_us"], "p99_us": latency["p99_us"]}

        count = 8 * os.cpu_count()
        table = report.summary(interleaved({"alone": 0, "beside readers": count}, measure, options), over="beside readers")
    ratio = table["ratios"]["beside readers / alone"]
    aims = [
        report.aim("p50 beside clients that do not read, to the p50 alone", ratio["p50_us"], 2),
        report.aim("p99 beside clients that do not read, to the p99 alone", ratio["p99_us"], 2),
    ]
    return {"tables": {f"HTTP/2 upstream, {READERS['rate']} a second, {count} clients that do not read": table}, "aims": aims}


def dialects(bench, options):
    """What translation costs: requests, to `re2`, which makes one call, too; events of streams and open streams, to relayed ones."""
    names = {title(*pair): pair for pair in PAIRS}
    requests = crossing_requests(bench, options, names)
    events = crossing_events(bench, options, names)
    held, lost = crossing_held(bench, options, names)
    extra = {name: row["kib_per_stream"] - held["relayed"]["kib_per_stream"] for name, row in held.items() if name != "relayed"}
    aims = []
    for name in names:
        ratio = requests["medians"][name]["cpu_us_per_request"] / requests["medians"]["re2"]["cpu_us_per_request"]
        aims.append(report.aim(f"CPU of a request, {name}, to re2's", ratio, 1.6))
        ratio = events["medians"][name]["cpu_us_per_event"] / events["medians"]["relayed"]["cpu_us_per_event"]
        aims.append(report.aim(f"CPU of a streamed event, {name}, to a relayed one's", ratio, 2))
        aims.append(report.aim(f"KiB of an open stream, {name}, more than a relayed one's", extra[name], 16))
    tables = {"requests of 1 KB": requests, "events": events, "open streams": {"medians": held}}
    return {"tables": tables, "lost": lost, "aims": aims}


def crossing_requests(bench, options, names):
    """Requests of 1 KB, answered with 1 KB."""
    upstreams = {dialect: bench.upstream(dialect) for dialect in {upstream for _, upstream in names.values()}}
    with running(**upstreams):
        hones = {dialect: bench.hone(upstream, dialect=dialect) for dialect, upstream in upstreams.items()}
        with running(**hones):
            chat = "openai-chat"
            targets = {
                "relayed": (hones[chat], asked(bench, chat, messages(900))),
                "re2": (hones[chat], asked(bench, chat, messages(900), optillm_approach="re2")),
            }
            targets |= {name: (hones[upstream], asked(bench, client, messages(900))) for name, (client, upstream) in names.items()}

            def measure(target):
                server, (body, path) = target
                return saturated(bench, body, options, **path)(server)

            return report.summary(interleaved(targets, measure, options), over="re2")


def crossing_events(bench, options, names):
    """Twenty streams of 200 events, an event each 5 ms."""
    sim = bench.sim("--tokens-per-second", str(STREAM["rate"]), answer_tokens=STREAM["tokens"])
    with running(sim=sim):
        hones = {dialect: bench.hone(sim, dialect=dialect) for dialect in {upstream for _, upstream in names.values()}}
        with running(**hones):
            chat = "openai-chat"
            targets = {"relayed": (hones[chat], asked(bench, chat, messages(900), stream=True))}
            targets |= {name: (hones[upstream], asked(bench, client, messages(900), stream=True)) for name, (client, upstream) in names.items()}

            def measure(target):
                server, (body, path) = target
                figures = load.charged(bench, "streams", server, body, streams=20, rounds=2, **path)
                return {"cpu_us_per_event": figures["cpu"] * 1e6 / figures["events"], "gap_p99_us": figures["gap"]["p99_us"]}

            return report.summary(interleaved(targets, measure, options), over="relayed")


def crossing_held(bench, options, names):
    """KiB of each stream that is open and idle after its first event, beside 500 that were before; the median of three processes.

    The first streams touch a process's code, and a page of memory for each size.
    """
    count, first = (200, 100) if options.quick else (1000, 500)
    sim = bench.sim(answer_tokens=8, faults=[{"fault": "hang_mid_body"}])
    pairs = {"relayed": ("openai-chat", "openai-chat"), **names}
    each, lost = {name: [] for name in pairs}, {}
    with running(sim=sim):
        for name, (client, upstream) in [*pairs.items()] * 3:
            body, path = asked(bench, client, messages(900), stream=True)
            with running(server=bench.hone(sim, dialect=upstream)) as servers:
                server = servers["server"]
                with load.held(bench, server, body, first, **path):
                    kib, ended = hold(bench, server, body, count, **path)
            each[name].append(kib)
            lost[f"{name}, {count:,}"] = lost.get(f"{name}, {count:,}", 0) + ended
    return {name: {"kib_per_stream": statistics.median(kibs)} for name, kibs in each.items()}, lost


def waiting(sim, count):
    """Waits until so many answers are under way at the simulated provider; else there is nothing to measure."""
    for _ in range(200):
        under_way = stats(sim)["in_flight"]
        if under_way == count:
            return
        time.sleep(0.05)
    raise SystemExit(f"{under_way} answers are under way where {count} should be")


def peers(bench, options):
    """Relayed requests of 1 KB, as in `relay`, from eight senders: other gateways take milliseconds for each."""
    body = bench.body("small", messages=messages(900))
    upstream = bench.upstream()
    others = {name: bench.peer(name, upstream) for name in options.peers}
    with running(direct=upstream, **others), running(nginx=bench.proxy(upstream), hone=bench.hone(upstream)) as servers:
        targets = {"direct": upstream, **servers, **others}
        runs = interleaved(targets, saturated(bench, body, options, connections=8), options)
        for name, server in targets.items():
            for run in runs[name]:
                run["resident_kib"] = server.resident_kib()
    return {"tables": {"HTTP/1.1, 1 KB, 8 senders": report.summary(runs)}, "aims": []}


def calls(sim):
    """Requests that the simulated provider has seen."""
    return stats(sim)["received"]


def stats(sim):
    """What the simulated provider has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{sim.port}/sim/stats", timeout=10) as answer:
        return json.load(answer)


SECTIONS = {part.__name__: part for part in (relay, paced, bodies, keys, streams, memory, startup, fanout, readers, dialects)}
# Measured only beside those that `--peers` names.
OPTIONAL = {peers.__name__: peers}
