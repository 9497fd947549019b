"""Starts a simulated provider and hone in front of it, as two real processes, for the whole test session."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.request
import uuid

import pytest

# No client asks the network for anything but hone.
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false"}

ROOT = pathlib.Path(__file__).resolve().parents[3]
HONE = os.environ.get("HONE_BIN", str(ROOT / "target" / "debug" / "hone"))
KEY = "any-shape-of-key"
# A plain model, an answer that a judge picks, and one that several drafts are merged into, which streams as it is written.
PLAIN, PICKED, MERGED = MODELS = ["sim-small", "bon-sim-small", "moa-sim-small"]
MESSAGES = [{"role": "user", "content": "What is 2 + 3?"}]
# Taken as a request's `sim` member: the provider takes this long.
SLOW = {"sim": {"latency": {"constant": {"ms": 20000}}}}

UPSTREAM = """
listen = "127.0.0.1:0"

[[upstream]]
name = "sim"
base_url = "{base_url}"
"""
CONFIG = (
    UPSTREAM
    + """
[[tenant]]
name = "slow"
provider_keys = ["{digest}"]
limits = {{ requests_per_minute = 20 }}

[[model]]
name = "sim-careful"
model = "sim-small"
approach = "bon"
params = {{ best_of_n = 2 }}
"""
)


class Process:
    """One hone process, and the address that it prints when it listens."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([HONE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.address = self._address()

    def _address(self):
        for line in self.process.stdout:
            found = re.search(r"(?:listening|simulated provider).*?(127\.0\.0\.1:\d+)", line)
            if found:
                self.log = []
                threading.Thread(target=lambda: self.log.extend(self.process.stdout), daemon=True).start()
                return found.group(1)
        raise RuntimeError(f"hone {self.process.args} ended before it listened")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


@pytest.fixture(scope="session")
def sim():
    process = Process("sim", "--listen", "127.0.0.1:0")
    # Who offers tools is told to call one.
    tools = json.dumps({"tool_calls": True}).encode()
    urllib.request.urlopen(f"http://{process.address}/sim/knobs", tools).close()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def serve(sim, tmp_path_factory):
    """Starts a hone with this configuration, and stops it at the end."""
    started = []

    def start(config, **values):
        file = tmp_path_factory.mktemp("hone") / "hone.toml"
        file.write_text(config.format(base_url=f"http://{sim.address}/v1", **values))
        started.append(Process("serve", "--config", str(file)))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="session")
def hone(serve):
    digest = subprocess.run([HONE, "key", "digest"], input="slow-key\n", capture_output=True, text=True, check=True).stdout
    return serve(CONFIG, digest=re.search(r"sha256:[0-9a-f]{64}", digest).group(0))


@pytest.fixture(scope="session")
def base_url(hone):
    return f"http://{hone.address}/v1"


@pytest.fixture
def stats(sim):
    def read():
        with urllib.request.urlopen(f"http://{sim.address}/sim/stats") as response:
            return json.load(response)

    return read


@pytest.fixture
def client_of(base_url):
    import openai

    return lambda key: openai.OpenAI(base_url=base_url, api_key=key)


@pytest.fixture(scope="session")
def limited_url(serve):
    """Where each key has one request a minute."""
    limits = "[limits]\nrequests_per_minute = 1\n[limits.address]\nrequests_per_minute = 1000\n"
    return f"http://{serve(UPSTREAM + limits).address}/v1"


@pytest.fixture(scope="session")
def keyless_url(serve):
    """Where the proxy's key pays for those who bring none."""
    os.environ["HONE_TEST_FALLBACK"] = "the-operators-key"
    fallback = 'fallback_key = {{ env = "HONE_TEST_FALLBACK" }}\nfallback_for = "loopback"\n'
    return f"http://{serve(UPSTREAM + fallback).address}/v1"


@pytest.fixture
def new_key():
    """A key that nobody has used."""
    return f"key-{uuid.uuid4()}"


@pytest.fixture
def ends_upstream(stats):
    """Waits until what a client has left is called off at the provider."""
    before = stats()

    async def wait():
        await until(lambda: stats()["cancelled"] > before["cancelled"] and stats()["in_flight"] <= before["in_flight"], "the upstream call goes on")

    return wait


@pytest.fixture
def leave(stats, ends_upstream):
    """Begins a call, cancels it when it is at the provider, and waits until it has ended there, too."""
    before = stats()["in_flight"]

    async def leave(call):
        task = asyncio.create_task(call)
        await until(lambda: stats()["in_flight"] > before, "no call arrives at the provider")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ends_upstream()

    return leave


async def until(condition, otherwise):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, otherwise
        await asyncio.sleep(0.02)


def assert_told_when(headers):
    """A refusal that says whose limit it is, and when to come back: within the minute of `limited_url`."""
    assert headers["x-hone-limit-source"] == "hone"
    assert 0 < int(headers["retry-after"]) <= 60
    assert 0 < int(headers["retry-after-ms"]) <= 60_000
