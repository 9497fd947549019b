#!/usr/bin/env python3
"""Has each client edit a file through hone: run.py [CLIENT[@UPSTREAM]…], by default all of them.

UPSTREAM is the dialect of the provider, or `direct`: the provider of the client's dialect, without
hone. HONE_BIN is the hone to run.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from clients import AFTER, BEFORE, CLIENTS, FILE
from upstream import SIGNATURE, Upstream

HERE = pathlib.Path(__file__).resolve().parent
HONE = os.environ.get("HONE_BIN", str(HERE.parents[1] / "target/debug/hone"))
BINARIES = HERE / "node_modules/.bin"
DIALECTS = ["anthropic", "openai-responses", "gemini", "openai-chat"]
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


def wrong(client, dialect, upstream, work, run):
    """What is not as it should be."""
    steps = client.steps(work / FILE)
    if run.returncode != 0:
        yield f"exit status {run.returncode}"
    if steps and (work / FILE).read_text() != AFTER:
        yield "the file is not edited"
    if client.shows not in run.stdout:
        yield f"{client.shows!r} is not shown: {run.stdout}"
    if not steps and not upstream.counted:
        yield "no tokens are counted"
    # Chat has no place for it.
    if dialect != "openai-chat" and not all(SIGNATURE in json.dumps(asked.body) for asked in upstream.asked[1:]):
        yield "the signed reasoning does not come back"
    if len(upstream.asked) != len(steps):
        yield f"{len(upstream.asked)} requests for {len(steps)} steps"


def run(name, dialect):
    """Whether one client does its work at a provider of this dialect."""
    client = CLIENTS[name]
    with tempfile.TemporaryDirectory(prefix="hone-client-") as folder:
        home = pathlib.Path(folder)
        work = home / "work"
        work.mkdir()
        (work / FILE).write_text(BEFORE)
        upstream = Upstream(client.steps(work / FILE))
        hone = None if dialect == "direct" else Hone(home, upstream.address, dialect)
        address = f"http://{(hone or upstream).address}"
        path = f"{BINARIES}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **client.settle(home, address)}
        begun = time.monotonic()
        try:
            ended = subprocess.run(
                client.command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
            )
            faults = list(wrong(client, dialect, upstream, work, ended))
            said = ended.stdout + ended.stderr
        except subprocess.TimeoutExpired as late:
            faults, said = [f"no end within {late.timeout} s, {len(upstream.asked)} requests"], str(late.stderr)
        log = hone.text() if hone else ""
        for server in filter(None, [hone, upstream]):
            server.stop()
    took = f"{len(upstream.asked)} requests, {len(upstream.asides)} beside them, {upstream.counted} counts, {time.monotonic() - begun:.1f} s"
    print(f"{'failed' if faults else 'passed'}: {name} at {dialect} ({took})", *faults, sep="\n  ", flush=True)
    if faults:
        print(said[-4000:], log[-4000:], sep="\n")
    return not faults


def chosen(arguments):
    """(client, dialect) of each run."""
    for argument in arguments or CLIENTS:
        name, _, dialect = argument.partition("@")
        if name not in CLIENTS:
            raise SystemExit(f"{name}: no such client; there are {', '.join(CLIENTS)}")
        for one in [dialect] if dialect else [CLIENTS[name].dialect]:
            yield name, one


def main():
    results = [run(*one) for one in chosen(sys.argv[1:])]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
