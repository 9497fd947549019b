"""openai-agents with its chat completions model, unmodified, against hone."""

import openai
import pydantic
import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool

from conftest import KEY, MODELS, PICKED, PLAIN, SLOW, assert_told_when


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def client(base_url, key=KEY):
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)


def agent(base_url, model, key=KEY, **more):
    return Agent(name="Helper", model=OpenAIChatCompletionsModel(model=model, openai_client=client(base_url, key)), **more)


@pytest.mark.parametrize("model", MODELS)
async def test_an_agent_answers(base_url, model):
    result = await Runner.run(agent(base_url, model), "What is 2 + 3?")
    assert result.final_output
    assert result.context_wrapper.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
async def test_an_agent_streams(base_url, model):
    streamed = Runner.run_streamed(agent(base_url, model), "What is 2 + 3?")
    events = [event.data async for event in streamed.stream_events() if event.type == "raw_response_event"]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text and text == streamed.final_output


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", MODELS)
async def test_an_agent_calls_its_tool_and_reads_the_result(base_url, model, streamed):
    asked = []

    @function_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "Sunny."

    helper = agent(base_url, model, tools=[weather])
    if streamed:
        result = Runner.run_streamed(helper, "How is the weather in Rome?")
        async for _ in result.stream_events():
            pass
    else:
        result = await Runner.run(helper, "How is the weather in Rome?")
    assert result.final_output
    assert asked == ["simulated"]


@pytest.mark.parametrize("model", MODELS)
async def test_an_agents_output_has_its_type(base_url, model):
    result = await Runner.run(agent(base_url, model, output_type=Weather), "How is the weather in Rome?")
    assert result.final_output == Weather(city="simulated", degrees=1)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_limit_is_its_own_error_and_says_when(limited_url, new_key, model):
    helper = agent(limited_url, model, new_key)
    assert (await Runner.run(helper, "What is 2 + 3?")).final_output
    with pytest.raises(openai.RateLimitError) as limited:
        await Runner.run(agent(limited_url, model, new_key), "What is 2 + 3?")
    assert_told_when(limited.value.response.headers)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_cancelled_agent_cancels_the_upstream_call(base_url, model, leave):
    slow = agent(base_url, model, model_settings=ModelSettings(extra_body=SLOW))
    await leave(Runner.run(slow, "What is 2 + 3?"))


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_the_default_model_works(base_url, model):
    helper = Agent(name="Helper", model=OpenAIResponsesModel(model=model, openai_client=client(base_url)))
    assert (await Runner.run(helper, "What is 2 + 3?")).final_output
