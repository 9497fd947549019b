"""Starts a simulated provider and hone in front of it, as two real processes, for the whole test session."""

import json
import os
import pathlib
import re
import subprocess
import threading
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
HONE = os.environ.get("HONE_BIN", str(ROOT / "target" / "debug" / "hone"))
KEY = "any-shape-of-key"

CONFIG = """
listen = "127.0.0.1:0"

[[upstream]]
name = "sim"
base_url = "{base_url}"

[[tenant]]
name = "slow"
provider_keys = ["{digest}"]
limits = {{ requests_per_minute = 60 }}

[[model]]
name = "sim-careful"
model = "sim-small"
approach = "bon"
params = {{ best_of_n = 2 }}
"""


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
    yield process
    process.stop()


@pytest.fixture(scope="session")
def hone(sim, tmp_path_factory):
    digest = subprocess.run([HONE, "key", "digest"], input="slow-key\n", capture_output=True, text=True, check=True).stdout
    digest = re.search(r"sha256:[0-9a-f]{64}", digest).group(0)
    config = tmp_path_factory.mktemp("hone") / "hone.toml"
    config.write_text(CONFIG.format(base_url=f"http://{sim.address}/v1", digest=digest))
    process = Process("serve", "--config", str(config))
    yield process
    process.stop()


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
