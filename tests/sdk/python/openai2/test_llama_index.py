"""llama-index with its `OpenAILike`, unmodified, against hone."""

import openai
import pydantic
import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from conftest import KEY, MODELS, PICKED, PLAIN, SLOW, assert_told_when

QUESTION = [ChatMessage(role="user", content="What is 2 + 3?")]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def chat(base_url, model, key=KEY, **more):
    return OpenAILike(
        api_base=base_url, api_key=key, model=model, is_chat_model=True, is_function_calling_model=True, max_retries=0, **more
    )


@pytest.mark.parametrize("model", MODELS)
def test_a_model_answers(base_url, model):
    answer = chat(base_url, model).chat(QUESTION)
    assert answer.message.content
    assert answer.raw.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_model_streams(base_url, model):
    assert "".join(part.delta or "" for part in chat(base_url, model).stream_chat(QUESTION))


@pytest.mark.parametrize("model", MODELS)
async def test_an_agent_calls_its_tool_and_reads_the_result(base_url, model):
    asked = []

    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "Sunny."

    agent = FunctionAgent(tools=[FunctionTool.from_defaults(weather)], llm=chat(base_url, model))
    assert str(await agent.run("How is the weather in Rome?"))
    assert asked == ["simulated"]


@pytest.mark.parametrize("by_schema", [False, True], ids=["by a tool", "by a schema"])
@pytest.mark.parametrize("model", MODELS)
def test_an_answer_has_its_type(base_url, model, by_schema):
    structured = chat(base_url, model, should_use_structured_outputs=by_schema).as_structured_llm(Weather)
    assert structured.chat(QUESTION).raw == Weather(city="simulated", degrees=1)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_a_limit_is_its_own_error_and_says_when(limited_url, new_key, model):
    assert chat(limited_url, model, new_key).chat(QUESTION).message.content
    with pytest.raises(openai.RateLimitError) as limited:
        chat(limited_url, model, new_key).chat(QUESTION)
    assert_told_when(limited.value.response.headers)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_cancelled_call_cancels_the_upstream_call(base_url, model, leave):
    await leave(chat(base_url, model, additional_kwargs={"extra_body": SLOW}).achat(QUESTION))
