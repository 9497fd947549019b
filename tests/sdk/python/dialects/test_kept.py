"""What hone does not keep: its own answers."""

import json
import urllib.request

import openai
import pytest

from clients import QUESTION
from upstreams import Stage


def asked(stage):
    """How many requests have reached the provider."""
    with urllib.request.urlopen(f"http://{stage.sim.address}/sim/stats") as stats:
        return json.load(stats)["calls"]


def test_an_id_of_hones_own_is_not_found_and_no_provider_is_asked_for_it(tmp_path):
    stage = Stage("openai-responses", tmp_path)
    door = stage.door("bon")
    client = openai.OpenAI(base_url=f"{door.address}/v1", api_key=door.key, max_retries=0)
    first = client.responses.create(model=door.model, input=QUESTION)
    before = asked(stage)
    for model in (door.model, stage.upstream.model):
        with pytest.raises(openai.BadRequestError) as error:
            client.responses.create(model=model, input=QUESTION, previous_response_id=first.id)
        assert error.value.code == "previous_response_not_found"
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(first.id)
    assert asked(stage) == before
    stage.stop()
