"""Comments in the stream of an approach that works for some time: every client skips them."""

import asyncio

import httpx
import litellm
import openai
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from conftest import KEY, MESSAGES

QUESTION = MESSAGES[0]["content"]
MODEL = "re2-sim-small"
LONG = {"sim": {"latency": {"constant": {"ms": 21000}}}}


async def raw(client):
    """The stream's lines."""
    body = {"model": MODEL, "messages": MESSAGES, "stream": True, **LONG}
    async with httpx.AsyncClient(timeout=60, trust_env=False) as plain:
        answer = await plain.post(f"{client.base_url}chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})
        return answer.text.splitlines()


async def of_openai(client):
    stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, extra_body=LONG)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def of_agents(client):
    model = OpenAIChatCompletionsModel(model=MODEL, openai_client=client)
    streamed = Runner.run_streamed(Agent(name="Helper", model=model, model_settings=ModelSettings(extra_body=LONG)), QUESTION)
    async for _ in streamed.stream_events():
        pass
    return streamed.final_output


async def of_pydantic(client):
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))
    async with PydanticAgent(model).run_stream(QUESTION, model_settings={"extra_body": LONG}) as streamed:
        return "".join([delta async for delta in streamed.stream_text(delta=True)])


async def of_langchain(client):
    model = ChatOpenAI(base_url=str(client.base_url), api_key=KEY, model=MODEL, extra_body=LONG)
    return "".join([chunk.content async for chunk in model.astream(QUESTION)])


async def of_litellm(client):
    to = {"model": f"openai/{MODEL}", "api_base": str(client.base_url), "api_key": KEY}
    stream = await litellm.acompletion(**to, messages=MESSAGES, stream=True, extra_body=LONG)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def test_comments_come_and_every_client_skips_them(base_url):
    async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY) as client:
        clients = [of_openai, of_agents, of_pydantic, of_langchain, of_litellm]
        lines, *texts = await asyncio.gather(raw(client), *(of(client) for of in clients))
    comments = [line for line in lines if line.startswith(":")]
    assert comments[0] == ": working" and comments[-1].startswith(": hone {")
    assert all(text and ":" not in text for text in texts), texts
