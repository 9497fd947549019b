"""LiteLLM's Python SDK as a client of hone."""

import litellm
import pytest

from conftest import KEY

MESSAGES = [{"role": "user", "content": "What is 2 + 3?"}]


@pytest.mark.parametrize("model", ["sim-small", "bon-sim-small"])
def test_completion(base_url, model):
    answer = litellm.completion(model=f"openai/{model}", api_base=base_url, api_key=KEY, messages=MESSAGES)
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens > 0


def test_streaming(base_url):
    stream = litellm.completion(model="openai/moa-sim-small", api_base=base_url, api_key=KEY, messages=MESSAGES, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_embedding(base_url):
    answer = litellm.embedding(model="openai/sim-embed", api_base=base_url, api_key=KEY, input=["a"])
    assert len(answer.data) == 1


def test_an_error_keeps_its_kind(base_url):
    # LiteLLM takes every 401 of type `invalid_request_error`, OpenAI's own included, for a bad request.
    with pytest.raises((litellm.AuthenticationError, litellm.BadRequestError), match="No provider key was sent"):
        litellm.completion(model="openai/sim-small", api_base=base_url, api_key="none", messages=MESSAGES, num_retries=0)
