"""The simulated providers, one a dialect, and the hones in front of them."""

import hashlib
import json
import typing
import urllib.request

import conftest

from clients import Door

CONFIG = """
listen = "127.0.0.1:0"

[[upstream]]
name = "sim"
dialect = "{dialect}"
base_url = "{base_url}"
"""


class Upstream(typing.NamedTuple):
    """A provider, as strict as the real one."""

    model: str
    knobs: dict
    path: str = "/v1"
    overloaded: int = 503


UPSTREAMS = {
    "openai-chat": Upstream("sim-small", {"speaks": "chat", "strict": ["unknown_fields", "both_token_limits"]}),
    "openai-responses": Upstream("gpt-5.4", {"speaks": "responses", "profile": "responses"}),
    "anthropic": Upstream("claude-sonnet-4-6", {"speaks": "messages", "profile": "anthropic"}, overloaded=529),
    "gemini": Upstream("gemini-3-flash-preview", {"speaks": "gemini", "profile": "gemini"}, path=""),
}


# It knows one key, which must come where the dialect has it.
KEY = "sha256:" + hashlib.sha256(Door("", "").key.encode()).hexdigest()
USUAL = {"tool_calls": True, "calls": 1, "arithmetic": True, "reasoning": "none", "content": None, "faults": [], "keys": [KEY]}


class Stage:
    """A provider of one dialect, a hone in front of it, and how a client reaches it in a certain way."""

    def __init__(self, dialect, folder, knobs=None):
        self.dialect, self.upstream = dialect, UPSTREAMS[dialect]
        self.sim = conftest.Process("sim", "--listen", "127.0.0.1:0")
        file = folder / "hone.toml"
        file.write_text(CONFIG.format(dialect=dialect, base_url=f"http://{self.sim.address}{self.upstream.path}"))
        self.hone = conftest.Process("serve", "--config", str(file))
        self.set(knobs or {})

    def set(self, knobs):
        """Has the provider behave like this, and in all else as its dialect does."""
        body = json.dumps(USUAL | self.upstream.knobs | knobs).encode()
        urllib.request.urlopen(f"http://{self.sim.address}/sim/knobs", body).close()
    def door(self, way):
        address = self.sim.address if way == "direct" else self.hone.address
        prefix = "bon-" if way == "bon" else ""
        return Door(f"http://{address}", prefix + self.upstream.model)

    def stop(self):
        self.hone.stop()
        self.sim.stop()
