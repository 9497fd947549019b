"""pydantic-ai with its chat model, unmodified, against hone."""

import openai
import pydantic
import pytest
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from conftest import KEY, MODELS, PICKED, PLAIN, SLOW, assert_told_when


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def agent(base_url, model, key=KEY, **more):
    client = openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)
    return Agent(OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client)), **more)


@pytest.mark.parametrize("model", MODELS)
async def test_an_agent_answers(base_url, model):
    result = await agent(base_url, model).run("What is 2 + 3?")
    assert result.output
    assert result.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
async def test_an_agent_streams(base_url, model):
    async with agent(base_url, model).run_stream("What is 2 + 3?") as streamed:
        assert "".join([delta async for delta in streamed.stream_text(delta=True)])
        assert streamed.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
async def test_an_agent_calls_its_tool_and_reads_the_result(base_url, model):
    asked = []
    helper = agent(base_url, model)

    @helper.tool_plain
    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "Sunny."

    assert (await helper.run("How is the weather in Rome?")).output
    assert asked == ["simulated"]


@pytest.mark.parametrize("output", [Weather, NativeOutput(Weather)], ids=["by a tool", "by a schema"])
@pytest.mark.parametrize("model", MODELS)
async def test_an_agents_output_has_its_type(base_url, model, output):
    result = await agent(base_url, model, output_type=output).run("How is the weather in Rome?")
    assert result.output == Weather(city="simulated", degrees=1)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_limit_is_its_own_error_and_says_when(limited_url, new_key, model):
    assert (await agent(limited_url, model, new_key).run("What is 2 + 3?")).output
    with pytest.raises(ModelHTTPError) as limited:
        await agent(limited_url, model, new_key).run("What is 2 + 3?")
    assert limited.value.status_code == 429
    assert_told_when(limited.value.__cause__.response.headers)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_cancelled_agent_cancels_the_upstream_call(base_url, model, leave):
    await leave(agent(base_url, model).run("What is 2 + 3?", model_settings={"extra_body": SLOW}))
