"""The official `openai` Python SDK, unmodified, against hone."""

import httpx
import openai
import pydantic
import pytest

from conftest import KEY, MESSAGES, MODELS, PICKED, PLAIN, SLOW, assert_told_when

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def client(base_url):
    return openai.OpenAI(base_url=base_url, api_key=KEY)


@pytest.mark.parametrize("model", ["sim-small", "re2-sim-small", "bon-sim-small", "moa-sim-small", "self_consistency-sim-small", "sim-careful"])
def test_chat_answers_with_id_choices_and_usage(client, model):
    answer = client.chat.completions.create(model=model, messages=MESSAGES)
    assert answer.id and answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@pytest.mark.parametrize("model", ["sim-small", "moa-sim-small", "bon-sim-small", "cot_reflection-sim-small"])
def test_streaming_gives_well_formed_chunks(client, model):
    stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    first = next(chunk for chunk in chunks if chunk.choices)
    assert first.choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    finish = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert finish == ["stop"]
    assert chunks[-1].usage.total_tokens > 0


def test_a_stream_without_usage_has_no_usage_chunk(client):
    chunks = list(client.chat.completions.create(model="sim-small", messages=MESSAGES, stream=True))
    assert all(chunk.choices for chunk in chunks)


def test_several_choices(client):
    assert len(client.chat.completions.create(model="sim-small", messages=MESSAGES, n=3).choices) == 3
    answer = client.chat.completions.create(model="re2-sim-small", messages=MESSAGES, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_fits_its_schema(client, model):
    answer = client.chat.completions.parse(model=model, messages=MESSAGES, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(city="simulated", degrees=1)


@pytest.mark.parametrize("model", MODELS)
def test_a_tools_result_is_read(client, model):
    asked = client.chat.completions.create(model=model, messages=MESSAGES, tools=[WEATHER]).choices[0].message
    [call] = asked.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    answer = client.chat.completions.create(model=model, messages=[*MESSAGES, asked, result], tools=[WEATHER])
    assert answer.choices[0].message.content and not answer.choices[0].message.tool_calls


def test_tool_calls_survive(client):
    answer = client.chat.completions.create(
        model="sim-small", messages=MESSAGES, tools=[WEATHER], tool_choice="required", extra_body={"sim": {"tool_calls": True}}
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"


def test_tool_calls_survive_in_a_stream(client):
    stream = client.chat.completions.create(
        model="sim-small", messages=MESSAGES, tools=[WEATHER], tool_choice="required", stream=True, extra_body={"sim": {"tool_calls": True}}
    )
    chunks = [chunk for chunk in stream if chunk.choices]
    names = [call.function.name for chunk in chunks for call in chunk.choices[0].delta.tool_calls or [] if call.function.name]
    assert names == ["weather"]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("model", ["sim-small", "bon-sim-small"])
def test_images_reach_the_model(client, model):
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content


def test_embeddings(client):
    answer = client.embeddings.create(model="sim-embed", input=["a", "b"])
    assert len(answer.data) == 2 and len(answer.data[0].embedding) > 0


def test_models_lists_upstream_and_virtual_models(client):
    names = [model.id for model in client.models.list()]
    assert "sim-small" in names and "sim-careful" in names
    assert client.models.retrieve("sim-careful").owned_by == "hone"


def test_responses(client):
    assert client.responses.create(model="sim-small", input="hello").output_text


def test_errors_have_their_types(client, base_url):
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="bonn&moa-sim-small", messages=MESSAGES)
    assert bad.value.code == "unknown_approach"
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="bon-sim-small", messages=MESSAGES, extra_body={"best_of_n": "three"})
    assert bad.value.param == "best_of_n"
    with pytest.raises(openai.AuthenticationError) as missing:
        openai.OpenAI(base_url=base_url, api_key="none").chat.completions.create(model="sim-small", messages=MESSAGES)
    assert missing.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError):
        openai.OpenAI(base_url=base_url.removesuffix("/v1"), api_key=KEY).chat.completions.create(model="sim-small", messages=MESSAGES)


@pytest.mark.parametrize("model", MODELS)
def test_answers_and_errors_have_a_request_id(client, model):
    assert client.chat.completions.create(model=model, messages=MESSAGES)._request_id.startswith("req_")
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=model, messages=[])
    assert refused.value.request_id.startswith("req_")


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_a_model_can_be_looked_up_by_the_name_that_is_asked(client, model):
    assert client.models.retrieve(model).id == model


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_a_limit_is_its_own_error_and_says_when(limited_url, new_key, model):
    client = openai.OpenAI(base_url=limited_url, api_key=new_key, max_retries=0)
    assert client.chat.completions.create(model=model, messages=MESSAGES).choices
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert limited.value.code == "rate_limit_exceeded"
    assert_told_when(limited.value.response.headers)


@pytest.mark.parametrize("model", MODELS)
def test_the_proxys_key_pays_for_who_has_none(keyless_url, model):
    client = openai.OpenAI(base_url=keyless_url, api_key="none")
    answer = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
    assert answer.headers["x-hone-credential"] == "fallback"


def test_an_upstream_error_keeps_its_status_and_is_retried_by_the_sdk(client, stats):
    before = stats()["calls"]["chat/completions"]
    with pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=1).chat.completions.create(
            model="sim-small", messages=MESSAGES, extra_body={"sim": {"faults": [{"fault": {"status": {"status": 500}}}]}}
        )
    assert stats()["calls"]["chat/completions"] == before + 2


def test_the_sdks_own_retry_succeeds_after_a_rate_limit(base_url):
    client = openai.OpenAI(base_url=base_url, api_key="slow-key", max_retries=3)
    with pytest.raises(openai.RateLimitError) as limited:
        for _ in range(200):
            client.with_options(max_retries=0).models.list()
    assert limited.value.response.headers["x-hone-limit-source"] == "hone"
    assert float(limited.value.response.headers["retry-after-ms"]) <= 3000
    assert client.models.list().data


def test_raw_responses_tell_the_credential(client):
    raw = client.chat.completions.with_raw_response.create(model="bon-sim-small", messages=MESSAGES)
    assert raw.headers["x-hone-credential"] == "client"
    assert raw.headers["x-hone-approach"] == "bon"
    # One call with several choices; they agree, so none is judged.
    assert raw.headers["x-hone-upstream-calls"] == "1"


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_cancelled_task_cancels_the_upstream_call(base_url, model, leave):
    async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY) as client:
        await leave(client.chat.completions.create(model=model, messages=MESSAGES, extra_body=SLOW))


async def test_a_closed_stream_cancels_the_upstream_call(client, ends_upstream):
    stream = client.chat.completions.create(model=PLAIN, messages=MESSAGES, stream=True, extra_body={"sim": {"tokens_per_second": 2}})
    next(iter(stream))
    stream.close()
    await ends_upstream()


def test_files_upload_and_download(client):
    uploaded = client.files.create(file=("a.jsonl", b"x" * 100_000), purpose="batch")
    assert uploaded.id
    assert len(client.files.content(uploaded.id).read()) > 0


def test_unknown_fields_reach_the_upstream(base_url):
    body = {"model": "sim-small", "messages": MESSAGES, "top_k": 5, "chat_template_kwargs": {"enable_thinking": False}}
    answer = httpx.post(f"{base_url}/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
