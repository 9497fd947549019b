"""Every client, in each case, at an upstream of each dialect, in each way.

`.ci/run` runs one row and one column of it, `HONE_MATRIX=all` the whole.
"""

import os

import pytest

from clients import (
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


# Each case: how the provider behaves, and what is then true of the client.


def plain(client, stage):
    answer = client.plain()
    assert "5" in answer.text and answer.prompt > 0 and answer.completion > 0


def stream(client, stage):
    answer = client.stream()
    assert "5" in answer.text and answer.prompt > 0 and answer.completion > 0


def tools(client, stage, streamed=False):
    town = Town()
    before = stage.calls()
    assert client.tools(town, streamed).text
    assert town.asked == ["simulated", "simulated"]
    return stage.calls() - before


def tools_streamed(client, stage):
    return tools(client, stage, streamed=True)


def thoughts(client, stage, streamed=False):
    assert client.thoughts(streamed)


def thoughts_streamed(client, stage):
    thoughts(client, stage, streamed=True)


def schema(client, stage):
    assert client.schema() == SCHEMA_ANSWER


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
    "thoughts": (thoughts, {"reasoning": "field"}),
    "thoughts_streamed": (thoughts_streamed, {"reasoning": "field"}),
    "schema": (schema, {}),
    "400": (refusal(400), {}),
    "401": (refusal(401), {}),
    "429": (refusal(429), {}),
    "529": (refusal(529), {}),
    "fails": (fails, LONG | fault("error_event")),
    "breaks_off": (breaks_off, LONG | fault("cut_mid_body")),
}


def cells():
    """(client, upstream, way, case) of all that is to be run."""
    everything = os.environ.get("HONE_MATRIX") == "all"
    for module in CLIENTS:
        for upstream in UPSTREAMS:
            own = module.DIALECT == upstream
            relayed = ["relay"] if upstream != "gemini" else []
            for way in ["direct", *relayed] if own else []:
                for case in CASES:
                    if everything or (way == "relay" and case in ("plain", "stream", "tools_streamed")):
                        name = module.__name__.removeprefix("clients.")
                        yield pytest.param(module, upstream, way, case, id=f"{name}-{upstream}-{way}-{case}")


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """The stage of a dialect, started when it is first asked for."""
    started = {}

    def of(dialect):
        if dialect not in started:
            started[dialect] = Stage(dialect, tmp_path_factory.mktemp("stage"))
        return started[dialect]

    yield of
    for stage in started.values():
        stage.stop()


@pytest.mark.parametrize("module, upstream, way, case", cells())
def test_a_client(module, upstream, way, case, stages):
    stage = stages(upstream)
    check, knobs = CASES[case]
    stage.set(knobs)
    check(module.Client(stage.door(way)), stage)
