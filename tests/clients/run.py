#!/usr/bin/env python3
"""Has each client edit a file through hone: run.py [CLIENT[@UPSTREAM[+APPROACH]]…], by default all of them.

UPSTREAM is the dialect of the provider, or `direct`: the provider of the client's dialect, without
hone. HONE_BIN is the hone to run.
"""

import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from clients import AFTER, BEFORE, CLIENTS, FILE
from upstream import Upstream

HERE = pathlib.Path(__file__).resolve().parent
HONE = os.environ.get("HONE_BIN", str(HERE.parents[1] / "target/debug/hone"))
BINARIES = HERE / "node_modules/.bin"
DIALECTS = ["anthropic", "openai-responses", "gemini", "openai-chat"]
# What hone does wrong, by the patterns of runs: each must fail until it is mended.
KNOWN = {}
CONFIG = """
listen = "127.0.0.1:0"

[[upstream]]
name = "scripted"
dialect = "{dialect}"
base_url = "http://{address}{path}"
"""


class Hone:
    """A hone in front of the provider."""

    def __init__(self, home, address, dialect):
        file = home / "hone.toml"
        file.write_text(CONFIG.format(dialect=dialect, address=address, path="" if dialect == "gemini" else "/v1"))
        command = [HONE, "serve", "--config", str(file)]
        self.log = open(home / "hone.log", "w+")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self.address = self.listening()

    def listening(self):
        for _ in range(1000):
            found = re.search(r"listening.*?(127\.0\.0\.1:\d+)", self.text())
            if found:
                return found.group(1)
            time.sleep(0.01)
        raise SystemExit(f"hone does not listen: {self.text()}")

    def text(self):
        return pathlib.Path(self.log.name).read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def wrong(client, dialect, approach, upstream, work, run, log):
    """What is not as it should be."""
    steps = client.steps(work / FILE)
    if run.returncode != 0:
        yield f"exit status {run.returncode}"
    if steps and (work / FILE).read_text() != AFTER:
        yield "the file is not edited"
    if client.shows not in run.stdout:
        yield f"{client.shows!r} is not shown: {run.stdout}"
    if not steps and not upstream.counted and '"status":200' not in log:
        yield "no tokens are counted"
    # Chat has no place for it, and some clients do not want models that they do not know to think.
    if upstream.has_signed and not all(asked.is_signed() for asked in upstream.asked if asked.results()):
        yield "the signed reasoning does not come back"
    yield from asks_again(approach, upstream, len(steps), log)


def asks_again(approach, upstream, steps, log):
    """A client asks once for each step: one that asks again has read an answer as broken."""
    asked = log.count(f'"approach":"{approach}"') if approach else len(upstream.asked)
    if asked != steps:
        yield f"{asked} requests for {steps} steps"


def run(name, dialect, approach):
    """Whether one client does its work at a provider of this dialect."""
    client = CLIENTS[name]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hone-client-") as folder:
        home = pathlib.Path(folder)
        work = home / "work"
        work.mkdir()
        (work / FILE).write_text(BEFORE)
        upstream = Upstream(client.dialect if dialect == "direct" else dialect, client.steps(work / FILE))
        hone = None if dialect == "direct" else Hone(home, upstream.address, dialect)
        try:
            ended = asks(client, home, f"http://{(hone or upstream).address}", approach)
        except subprocess.TimeoutExpired as late:
            ended = subprocess.CompletedProcess(late.cmd, 1, f"no end within {late.timeout} s", "")
        # Stopped, hone has logged all requests.
        for server in filter(None, [hone, upstream]):
            server.stop()
        log = hone.text() if hone else ""
        faults = list(wrong(client, dialect, approach, upstream, work, ended, log))
        said = ended.stdout + ended.stderr
    full = f"{name}@{dialect}" + (f"+{approach}" if approach else "")
    known = [reason for pattern, reason in KNOWN.items() if fnmatch.fnmatch(full, pattern)]
    if known and not faults:
        faults = [f"mended, so it is no longer known: {known[0]}"]
    elif known:
        faults, said = [], f"fails as known: {known[0]}"
    calls = f"{len(upstream.asked)} requests, {len(upstream.asides)} beside them, {upstream.counted} counts{', signed' * upstream.has_signed}"
    print(f"{'failed' if faults else 'passed'}: {full} ({calls}, {time.monotonic() - begun:.1f} s)", flush=True)
    for line in [*faults, said[-4000:], log[-4000:]] if faults else known and [said]:
        print(f"  {line}")
    return not faults


def asks(client, home, address, approach):
    """Runs the client to its end."""
    environment = {"PATH": f"{BINARIES}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}
    environment |= client.settle(home, address, approach)
    how = {"cwd": home / "work", "env": environment, "stdin": subprocess.DEVNULL, "timeout": 120}
    return subprocess.run(client.command, capture_output=True, text=True, **how)


def chosen(arguments):
    """(client, dialect, approach) of each run."""
    for argument in arguments:
        name, _, place = argument.partition("@")
        if name not in CLIENTS:
            raise SystemExit(f"{name}: no such client; there are {', '.join(CLIENTS)}")
        dialect, _, approach = place.partition("+")
        yield name, dialect or CLIENTS[name].dialect, approach
    for name, client in () if arguments else CLIENTS.items():
        for dialect in DIALECTS:
            yield name, dialect, ""
        if client.steps(pathlib.Path(FILE)):
            yield name, client.dialect, "bon"
            yield name, "openai-chat", "bon"


def main():
    results = [run(*one) for one in chosen(sys.argv[1:])]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
