"""`openai-agents` with its default model, which speaks Responses."""

import asyncio

import agents
import httpx2
import openai
import pydantic
from openai.types.shared import Reasoning

from . import QUESTION, WEATHER, Door, Said, Town

DIALECT = "openai-responses"
REASONING = agents.ModelSettings(reasoning=Reasoning(effort="low", summary="auto"))


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


class Client:
    REFUSALS = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        429: openai.RateLimitError,
        503: openai.InternalServerError,
    }
    FAILURE = (openai.APIError, agents.exceptions.AgentsException, RuntimeError)
    CUT = (*FAILURE, httpx2.TransportError)

    def __init__(self, door: Door):
        self.door = door

    @staticmethod
    def status(error):
        return error.status_code

    def agent(self, **more):
        client = openai.AsyncOpenAI(base_url=f"{self.door.address}/v1", api_key=self.door.key, max_retries=0)
        model = agents.OpenAIResponsesModel(model=self.door.model, openai_client=client)
        return agents.Agent(name="Helper", model=model, **more)

    def run(self, streamed, prompt, **more):
        async def run():
            if not streamed:
                return await agents.Runner.run(self.agent(**more), prompt)
            result = agents.Runner.run_streamed(self.agent(**more), prompt)
            deltas = []
            async for event in result.stream_events():
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    deltas.append(event.data.delta)
            assert "".join(deltas) == str(result.final_output)
            return result

        return asyncio.run(run())

    def plain(self):
        return said(self.run(False, QUESTION))

    def stream(self):
        return said(self.run(True, QUESTION))

    def tools(self, town: Town, streamed: bool):
        more = {"tools": [agents.function_tool(town.weather)], "model_settings": REASONING}
        first = self.run(streamed, WEATHER, **more)
        return said(self.run(streamed, [*first.to_input_list(), {"role": "user", "content": WEATHER}], **more))

    def thoughts(self, streamed: bool):
        result = self.run(streamed, QUESTION, model_settings=REASONING)
        items = [item.raw_item for item in result.new_items if item.type == "reasoning_item"]
        return "".join(part.text for item in items for part in item.summary)

    def schema(self):
        return self.run(False, WEATHER, output_type=Weather).final_output.model_dump()


def said(result):
    usage = result.context_wrapper.usage
    return Said(result.final_output, usage.input_tokens, usage.output_tokens)
