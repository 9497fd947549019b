"""Where the programs are that `install.sh` has installed, and how their sessions are set up."""

import json
import os
import pathlib
import urllib.error
import urllib.request

import pytest

CLIENTS = pathlib.Path(os.environ.get("HONE_CLIENTS", "clients"))
SAID = "There are five of them."
LIMITS = "[limits]\nrequests_per_minute = 1\n[limits.address]\nrequests_per_minute = 1000\n"


def installed(*parts):
    """A program's path. Without it, the test is skipped and says so."""
    program = CLIENTS.joinpath(*parts).absolute()
    if not program.exists():
        pytest.skip(f"{parts[0]} cannot be had here")
    return str(program)


def says_the_same(sim):
    """Has the provider answer everything by one sentence."""
    knobs = json.dumps({"content": SAID, "tool_calls": False}).encode()
    urllib.request.urlopen(f"http://{sim.address}/sim/knobs", knobs).close()


def use_up(url, key):
    """Asks with this key until it is refused."""
    body = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "x"}]}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    for _ in range(100):
        try:
            urllib.request.urlopen(urllib.request.Request(f"{url}/chat/completions", body, headers)).close()
        except urllib.error.HTTPError as error:
            assert error.code == 429
            return
    raise AssertionError("the limit does not hold")


def refusals(hone):
    """How often hone's log tells of a refusal by a limit."""
    return sum('"status":429' in line for line in hone.log)
