"""langchain-openai with chat completions, unmodified, against hone."""

import openai
import pydantic
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from conftest import KEY, MODELS, PICKED, PLAIN, SLOW, assert_told_when

QUESTION = "How is the weather in Rome?"


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"Sunny in {city}."


def chat(base_url, model, key=KEY, **more):
    return ChatOpenAI(base_url=base_url, api_key=key, model=model, max_retries=0, **more)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_answers(base_url, model):
    answer = chat(base_url, model).invoke("What is 2 + 3?")
    assert answer.content
    assert answer.usage_metadata["total_tokens"] > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_model_streams(base_url, model):
    chunks = list(chat(base_url, model, stream_usage=True).stream("What is 2 + 3?"))
    assert "".join(chunk.content for chunk in chunks)
    assert sum(chunk.usage_metadata["total_tokens"] for chunk in chunks if chunk.usage_metadata) > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_model_calls_its_tool_and_reads_the_result(base_url, model):
    bound = chat(base_url, model).bind_tools([weather])
    asked = bound.invoke(QUESTION)
    [call] = asked.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "simulated"})
    result = weather.invoke(call)
    assert isinstance(result, ToolMessage)
    assert bound.invoke([HumanMessage(QUESTION), asked, result]).content


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("model", MODELS)
def test_an_answer_has_its_type(base_url, model, method):
    if method == "json_mode":
        assert chat(base_url, model).with_structured_output(None, method=method).invoke(f"{QUESTION} Answer in JSON.")
    else:
        answer = chat(base_url, model).with_structured_output(Weather, method=method).invoke(QUESTION)
        assert answer == Weather(city="simulated", degrees=1)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_several_answers(base_url, model):
    [generations] = chat(base_url, model, n=2).generate([[HumanMessage("What is 2 + 3?")]]).generations
    assert len(generations) == 2 and all(generation.text for generation in generations)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_a_limit_is_its_own_error_and_says_when(limited_url, new_key, model):
    assert chat(limited_url, model, new_key).invoke("What is 2 + 3?").content
    with pytest.raises(openai.RateLimitError) as limited:
        chat(limited_url, model, new_key).invoke("What is 2 + 3?")
    assert_told_when(limited.value.response.headers)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_cancelled_call_cancels_the_upstream_call(base_url, model, leave):
    await leave(chat(base_url, model, extra_body=SLOW).ainvoke("What is 2 + 3?"))


def test_embeddings(base_url):
    model = OpenAIEmbeddings(base_url=base_url, api_key=KEY, model="sim-embed", check_embedding_ctx_length=False)
    assert len(model.embed_documents(["a", "b"])) == 2


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_the_responses_mode_works(base_url, model):
    assert chat(base_url, model, use_responses_api=True).invoke("What is 2 + 3?").content
