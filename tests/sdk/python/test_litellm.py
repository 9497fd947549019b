"""LiteLLM's Python SDK as a client of hone."""

import json

import litellm
import pydantic
import pytest

from conftest import KEY, MESSAGES, MODELS, PICKED, PLAIN, SLOW, assert_told_when

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def completion(base_url, model, key=KEY, messages=MESSAGES, **more):
    return litellm.completion(model=f"openai/{model}", api_base=base_url, api_key=key, messages=messages, num_retries=0, max_retries=0, **more)


@pytest.mark.parametrize("model", MODELS)
def test_completion(base_url, model):
    answer = completion(base_url, model)
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_streaming(base_url, model):
    chunks = list(completion(base_url, model, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_tool_is_called_and_its_result_read(base_url, model):
    asked = completion(base_url, model, tools=[TOOL]).choices[0].message
    [call] = asked.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "simulated"})
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    assert completion(base_url, model, messages=[*MESSAGES, asked, result], tools=[TOOL]).choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_fits_its_schema(base_url, model):
    answer = completion(base_url, model, response_format=Weather).choices[0].message.content
    assert Weather.model_validate_json(answer) == Weather(city="simulated", degrees=1)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_several_answers(base_url, model):
    assert len(completion(base_url, model, n=2).choices) == 2


def test_embedding(base_url):
    answer = litellm.embedding(model="openai/sim-embed", api_base=base_url, api_key=KEY, input=["a"])
    assert len(answer.data) == 1


@pytest.mark.parametrize("model", MODELS)
def test_the_proxys_key_pays_for_who_has_none(keyless_url, model):
    answer = completion(keyless_url, model, key="none")
    assert answer.choices[0].message.content
    assert answer._hidden_params["additional_headers"]["llm_provider-x-hone-credential"] == "fallback"


def test_an_error_keeps_its_kind(base_url):
    # LiteLLM takes every 401 of type `invalid_request_error`, OpenAI's own included, for a bad request.
    with pytest.raises((litellm.AuthenticationError, litellm.BadRequestError), match="No provider key was sent"):
        completion(base_url, PLAIN, key="none")
    with pytest.raises(litellm.BadRequestError, match="There is no approach `bonn`"):
        completion(base_url, "bonn&moa-sim-small")


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_a_limit_is_its_own_error_and_says_when(limited_url, new_key, model):
    assert completion(limited_url, model, new_key).choices[0].message.content
    with pytest.raises(litellm.RateLimitError) as limited:
        completion(limited_url, model, new_key)
    assert_told_when(limited.value.response.headers)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_cancelled_call_cancels_the_upstream_call(base_url, model, leave):
    await leave(
        litellm.acompletion(model=f"openai/{model}", api_base=base_url, api_key=KEY, messages=MESSAGES, max_retries=0, extra_body=SLOW)
    )
