"""Every client, in each case, at an upstream of each dialect, in each way.

`.ci/run` runs one row and one column of it, `HONE_MATRIX=all` the whole.
"""

import concurrent.futures
import fnmatch
import functools
import inspect
import itertools
import json
import os
import urllib.request

import pytest

from clients import (
    QUESTION,
    SCHEMA_ANSWER,
    Town,
    anthropic_sdk,
    google_genai,
    langchain_anthropic,
    langchain_google,
    openai_agents,
    openai_responses,
)
from upstreams import UPSTREAMS, Stage

CLIENTS = [anthropic_sdk, openai_responses, openai_agents, google_genai, langchain_anthropic, langchain_google]
# Words enough that a stream has a middle.
LONG = {"content": " ".join(["word"] * 40)}



def fault(what):
    return {"faults": [{"fault": what}]}


SLOW = {"latency": {"constant": {"ms": 11_000}}}
# So many tokens at once that hone has nothing to tell for longer than it may be silent.
PACE = {"tokens_per_second": 1, "chunk_tokens": 12}
REFUSED = fault({"status": {"status": 400}})
# A stream as its dialect asks for it, and what keeps it alive.
TURN = {"role": "user", "content": QUESTION}
BEATS = {
    "openai-responses": ("/v1/responses", {"input": QUESTION}, '"type":"response.in_progress","sequence_number":2'),
    "anthropic": ("/v1/messages", {"max_tokens": 99, "messages": [TURN]}, "event: ping"),
    "gemini": ("/v1beta/models/sim-small:streamGenerateContent?alt=sse", {}, "data: |"),
}


# Each case: how the provider behaves, and what is then true of the client.


def plain(client, stage):
    answer = client.plain()
    assert "5" in answer.text and answer.prompt > 0 and answer.completion > 0


def stream(client, stage):
    answer = client.stream()
    assert "5" in answer.text and answer.prompt > 0 and answer.completion > 0


def tools(client, stage, streamed=False, calls=1):
    town = Town()
    assert client.tools(town, streamed).text
    assert town.asked == ["simulated"] * 2 * calls


def tools_streamed(client, stage):
    tools(client, stage, streamed=True)


def parallel(client, stage):
    tools(client, stage, streamed=True, calls=3)


def thoughts(client, stage, streamed=False):
    assert client.thoughts(streamed)


def thoughts_streamed(client, stage):
    thoughts(client, stage, streamed=True)


def schema(client, stage):
    assert client.schema() == SCHEMA_ANSWER


def handover(client, stage, other):
    """A conversation that goes on without hone's translation, where nothing of it may be left."""
    town = Town()
    assert client.tools(town, True, then=other).text
    assert town.asked == ["simulated"] * 2


def count(client, stage):
    assert client.count() > 0


def models(client, stage):
    assert {"sim-small", "sim-large"} <= set(client.models())


def refusal(status):
    def refused(client, stage):
        # The status as the provider's dialect has it, and as the client's does.
        real = stage.upstream.overloaded if status == 529 else status
        stage.set(fault({"status": {"status": real, "retry_after": "30"}}))
        told = status if status in client.REFUSALS else 503
        for verb in (client.plain, client.stream):
            with pytest.raises(client.REFUSALS[told]) as error:
                verb()
            assert client.status(error.value) == told

    return refused


def fails(client, stage):
    with pytest.raises(client.FAILURE):
        client.stream()


def breaks_off(client, stage):
    with pytest.raises(client.CUT):
        client.stream()


CASES = {
    "plain": (plain, {}),
    "stream": (stream, {}),
    "tools": (tools, {}),
    "tools_streamed": (tools_streamed, {}),
    "parallel": (parallel, {"calls": 3}),
    "handover": (handover, {}),
    "thoughts": (thoughts, {"reasoning": "field"}),
    "thoughts_streamed": (thoughts_streamed, {"reasoning": "field"}),
    "schema": (schema, {}),
    "count": (count, {}),
    "models": (models, {}),
    "400": (refusal(400), {}),
    "401": (refusal(401), {}),
    "429": (refusal(429), {}),
    "529": (refusal(529), {}),
    "fails": (fails, LONG | fault("error_event")),
    "breaks_off": (breaks_off, LONG | fault("cut_mid_body")),
    "ends_early": (fails, LONG | fault("end_mid_body")),
}
# These take longer than hone lets a stream be silent, and run beside each other, each with a provider of its own
# for all cells. An approach is silent until it has its answer.
SLOW_CASES = {
    "beats": (stream, {"translated": PACE, "bon": SLOW}),
    "fails_late": (fails, {"translated": SLOW | REFUSED, "bon": SLOW | REFUSED}),
}

# What hone does wrong, by the patterns of cells: each must fail until it is mended.
KNOWN = {}


def cells():
    """(client, upstream, way, case) of all that is to be run."""
    everything = os.environ.get("HONE_MATRIX") == "all"
    for module, upstream in itertools.product(CLIENTS, UPSTREAMS):
        own = module.DIALECT == upstream
        ways = ["direct", "relay", "bon"] if own else ["translated", "bon"]
        for way in ways:
            for case in [*CASES, *SLOW_CASES]:
                if there_is(module, upstream, way, case) and (everything or usual(own, upstream, way, case)):
                    name = "-".join([module.__name__.removeprefix("clients."), upstream, way, case])
                    known = [reason for pattern, reason in KNOWN.items() if fnmatch.fnmatch(name, pattern)]
                    marks = [pytest.mark.xfail(reason=reason, strict=True) for reason in known]
                    yield pytest.param(module, upstream, way, case, id=name, marks=marks)


def there_is(module, upstream, way, case):
    if case in ("count", "models"):
        return hasattr(module.Client, case)
    if case == "handover":
        return way in ("translated", "bon") and "then" in inspect.signature(module.Client.tools).parameters
    # The simulated chat makes one call.
    if case == "parallel":
        return upstream != "openai-chat"
    # hone sends nothing of its own into a stream that it relays, and does not see where that should have ended.
    return way in ("translated", "bon") or case not in ("ends_early", *SLOW_CASES)


def usual(own, upstream, way, case):
    """What .ci/run asks for: the client's own dialect in brief, and all cases at one provider of another."""
    if own:
        return way in ("relay", "bon") and case in ("plain", "stream", "tools_streamed")
    return way == "translated" and upstream == "openai-chat" and case != "fails_late"


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """The stage of a dialect, started when it is first asked for."""
    started = {}

    def of(dialect, *purpose, knobs=None):
        if (dialect, purpose) not in started:
            started[dialect, purpose] = Stage(dialect, tmp_path_factory.mktemp("stage"), knobs)
        return started[dialect, purpose]

    yield of
    for stage in started.values():
        stage.stop()


def raw(dialect, stage):
    """All bytes of a stream, as text."""
    path, body, _ = BEATS[dialect]
    door = stage.door("translated")
    body = {"model": door.model, "stream": True, **body}
    key = {"authorization": f"Bearer {door.key}"}
    if dialect == "gemini":
        body = {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}
        key = {"x-goog-api-key": door.key}
    request = urllib.request.Request(door.address + path, json.dumps(body).encode(), key)
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as answer:
        pieces = iter(lambda: answer.read1(1 << 16), b"")
        # Google's beat is the beginning of an event, whose rest comes later.
        return "|".join(piece.decode() for piece in pieces)


@pytest.fixture(scope="session")
def slow_cells(request, stages):
    """Those of the chosen cells that take long, all begun at once."""
    cells = [item.callspec.params for item in request.session.items if item.get_closest_marker("parametrize")]
    cells = [cell for cell in cells if cell.get("case") in SLOW_CASES]
    with concurrent.futures.ThreadPoolExecutor(len(cells) + len(BEATS)) as pool:

        def begin(module, upstream, way, case):
            check, knobs = SLOW_CASES[case]
            stage = stages(upstream, way, case, knobs=knobs[way])
            return pool.submit(lambda: check(module.Client(stage.door(way)), stage))

        beats = {dialect: pool.submit(raw, dialect, stages("openai-chat", "wire", knobs=PACE)) for dialect in BEATS}
        yield beats | {tuple(cell.values()): begin(**cell) for cell in cells}


@pytest.mark.parametrize("dialect", BEATS)
def test_a_silent_stream_beats_in_its_dialect(dialect, slow_cells):
    text = slow_cells[dialect].result()
    # Before the first piece of the answer.
    assert BEATS[dialect][-1] in text[: text.index("2 + 3")]


@pytest.mark.parametrize("module, upstream, way, case", cells())
def test_a_client(module, upstream, way, case, stages, slow_cells):
    if case in SLOW_CASES:
        return slow_cells[module, upstream, way, case].result()
    stage = stages(upstream)
    check, knobs = CASES[case]
    stage.set(knobs)
    if case == "handover":
        other = stages(module.DIALECT)
        other.set(knobs)
        check = functools.partial(check, other=module.Client(other.door("relay")))
    check(module.Client(stage.door(way)), stage)
