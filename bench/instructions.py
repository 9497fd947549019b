"""Instructions in user space, counted by callgrind. `instructions.sh` builds what this counts.

Each figure is the difference of two loads on one server that differ only in how much they ask for,
over what they differ in: the start, connections that open and close, and idle time cancel out.
"""

import argparse
import dataclasses
import functools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import dialects
import load
import sections
from servers import Bench, running

# glibc copies above 2 KiB with `rep movsb`, of which callgrind counts each byte as an instruction.
# Nothing reaches this threshold, so it copies in vectors.
COPIES = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=0x7fffffffffff"}


@dataclasses.dataclass
class Sizes:
    """How much is asked for. Before each pair a smaller load warms pools, caches and memory up."""

    warm: int = 400
    requests: tuple = (400, 2400)
    # Streams, and the tokens of each in the pair.
    streams: int = 10
    tokens: tuple = (10, 100)
    # Requests to a strategy, and its number of candidates in the pair.
    asks: int = 60
    candidates: tuple = (4, 12)


QUICK = Sizes(warm=100, requests=(100, 500), streams=4, tokens=(10, 60), asks=20)


class Counter(Bench):
    """A bench whose relays run under callgrind, on one processor and so with one worker."""

    def __init__(self, directory, hone, tools, dumps):
        super().__init__(directory, hone, tools)
        self.dumps = dumps
        self.processor = max(os.sched_getaffinity(0))
        self.rows = []

    def counted(self, make, upstream, name):
        """A relay that does not count yet. A program with symbols takes seconds to be read."""
        dump = self.dumps / f"{name}.callgrind"
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--dump-instr=yes"]
        under = ["taskset", "-c", str(self.processor), *valgrind, f"--callgrind-out-file={dump}"]
        server = make(upstream, under=under, patience=120, environment=COPIES)
        server.dump, server.parts = dump, 0
        return server

    def control(self, server, *command):
        line = ["callgrind_control", *command, str(server.process.pid)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise SystemExit(f"callgrind does not answer: {done.stdout}{done.stderr}")

    def taken(self, server):
        """Instructions since the last time, which callgrind writes to a file of their own."""
        # The server learns a little later than the client that connections were closed.
        time.sleep(0.5)
        server.parts += 1
        self.control(server, "-d")
        for line in open(f"{server.dump}.{server.parts}"):
            if line.startswith("totals:"):
                return int(line.split()[1])
        raise SystemExit("callgrind wrote no totals")

    def difference(self, server, ask, sizes):
        """What the larger load takes more: instructions, and whatever `ask` counts."""
        counts = []
        for size in sizes:
            units = ask(size)
            counts.append((self.taken(server), units))
        (less, few), (more, many) = counts
        return more - less, many - few

    def row(self, case, instructions, units):
        self.rows.append((case, instructions / units, units))
        print(f"{case}: {instructions / units:,.0f}", file=sys.stderr, flush=True)


def relay(bench, sizes):
    """A request of 1 KB, answered with 1 KB by nginx, from 32 senders with a connection each."""
    body = bench.body("small", messages=sections.messages(900))
    upstream = bench.upstream()
    makers = {"all": bench.hone, "plain": bench.plain, "floor": bench.floor}
    with running(upstream=upstream):
        for name, make in makers.items():
            with running(server=bench.counted(make, upstream, f"relay-{name}")) as servers:
                server = servers["server"]

                def ask(requests):
                    how = {"requests": requests, "seconds": 120}
                    return load.run(bench, "saturate", server, body, **how)["requests"]

                ask(sizes.warm)
                bench.control(server, "-i", "on")
                taken = bench.difference(server, ask, sizes.requests)
                bench.row(f"relayed request, {name}", *taken)


def events(bench, sizes):
    """Events of streams, one stream at a time.

    Events of several come together now and then and share a turn of the relay's loop, more of them
    the busier the machine is, which moves the figure by two in a hundred.
    """
    sim = bench.sim("--tokens-per-second", "100", answer_tokens=max(sizes.tokens))
    body = {}
    for tokens in sizes.tokens:
        fields = {"messages": sections.messages(900), "stream": True, "max_tokens": tokens}
        body[tokens] = bench.body(f"stream-{tokens}", **fields)
    with running(sim=sim):
        for name, make in {"all": bench.hone, "floor": bench.floor}.items():
            with running(server=bench.counted(make, sim, f"events-{name}")) as servers:
                server = servers["server"]

                def ask(tokens):
                    how = {"streams": 1, "rounds": sizes.streams}
                    return load.run(bench, "streams", server, body[tokens], **how)["events"]

                ask(min(sizes.tokens))
                bench.control(server, "-i", "on")
                bench.row(f"streamed event, {name}", *bench.difference(server, ask, sizes.tokens))


def sub_calls(bench, sizes):
    """What a candidate more takes, over the calls that the model saw for it."""
    sim = bench.sim("--accuracy", "0.7")
    with running(sim=sim):
        for slug, count in {"bon": "best_of_n", "self_consistency": "num_samples"}.items():
            with running(server=bench.counted(bench.hone, sim, slug)) as servers:
                server = servers["server"]
                body = {}
                for n in sizes.candidates:
                    fields = {"optillm_approach": slug, count: n}
                    fields["messages"] = sections.messages(900)
                    body[n] = bench.body(f"{slug}-{n}", **fields)

                def ask(n):
                    before = sections.calls(sim)
                    how = {"connections": 4, "requests": sizes.asks, "seconds": 120}
                    load.run(bench, "saturate", server, body[n], **how)
                    return sections.calls(sim) - before

                ask(max(sizes.candidates))
                bench.control(server, "-i", "on")
                bench.row(f"sub-call of {slug}", *bench.difference(server, ask, sizes.candidates))


def translated(bench, sizes):
    """A request of 1 KB whose client and upstream speak different dialects, answered with 1 KB.

    `re2` is the cheapest strategy, for comparison: it asks once, and so does a translation.
    """
    cases = {"re2 on chat": ("openai-chat", "openai-chat", {"optillm_approach": "re2"})}
    cases |= {dialects.title(*pair): (*pair, {}) for pair in dialects.PAIRS}
    for name, (client, dialect, more) in cases.items():
        upstream = bench.upstream(dialect)
        body, path = dialects.asked(bench, client, sections.messages(900), **more)
        make = functools.partial(bench.hone, dialect=dialect)
        server = bench.counted(make, upstream, name.replace(" ", "-"))
        with running(upstream=upstream, server=server):

            def ask(requests):
                how = {"requests": requests, "seconds": 120, **path}
                return load.run(bench, "saturate", server, body, **how)["requests"]

            ask(sizes.warm)
            bench.control(server, "-i", "on")
            bench.row(f"request, {name}", *bench.difference(server, ask, sizes.requests))


def translated_events(bench, sizes):
    """Events of streams whose client and upstream speak different dialects, as in `events`."""
    sim = bench.sim("--tokens-per-second", "100", answer_tokens=max(sizes.tokens))
    cases = {"re2 on chat": ("openai-chat", "openai-chat", {"optillm_approach": "re2"})}
    cases |= {dialects.title(*pair): (*pair, {}) for pair in dialects.PAIRS}
    messages = sections.messages(900)
    with running(sim=sim):
        for name, (client, dialect, more) in cases.items():
            asked = {
                tokens: dialects.asked(bench, client, messages, True, tokens, **more)
                for tokens in sizes.tokens
            }
            make = functools.partial(bench.hone, dialect=dialect)
            server = bench.counted(make, sim, f"events-{name.replace(' ', '-')}")
            with running(server=server):

                def ask(tokens):
                    body, path = asked[tokens]
                    how = {"streams": 1, "rounds": sizes.streams, **path}
                    return load.run(bench, "streams", server, body, **how)["events"]

                ask(min(sizes.tokens))
                bench.control(server, "-i", "on")
                taken = bench.difference(server, ask, sizes.tokens)
                bench.row(f"streamed event, {name}", *taken)


PARTS = {part.__name__: part for part in (relay, events, sub_calls, translated, translated_events)}


def main():
    parser = argparse.ArgumentParser(description="instructions of a request, an event, a sub-call")
    parser.add_argument("--quick", action="store_true", help="a fifth of the load")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,…", help="of " + ", ".join(PARTS))
    parser.add_argument("--dumps", type=pathlib.Path, help="keep what callgrind writes here")
    parser.add_argument("hone", type=pathlib.Path, help="the binary that is counted")
    parser.add_argument("tools", type=pathlib.Path, help="where `load` and `floor` are")
    options = parser.parse_args()
    # Whoever ends this script ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="hone-instructions-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        dumps = directory / "dumps" if options.dumps is None else options.dumps.resolve()
        dumps.mkdir(parents=True, exist_ok=True)
        bench = Counter(directory, options.hone.resolve(), options.tools.resolve(), dumps)
        for part in options.only.split(","):
            PARTS[part](bench, QUICK if options.quick else Sizes())
    print("| case | instructions | units |\n|---|---:|---:|")
    for case, instructions, units in bench.rows:
        print(f"| {case} | {instructions:,.0f} | {units:,} |")


if __name__ == "__main__":
    main()
