"""`openai`: `responses.create`, and `responses.stream`, which builds its answer from every event."""

import json

import httpx2
import openai
import pydantic

from . import QUESTION, WEATHER, Door, Said, Town

DIALECT = "openai-responses"
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
# Nothing is kept at the provider, and what was thought comes back with the conversation.
ALONE = {"store": False, "include": ["reasoning.encrypted_content"]}
REASONING = {"reasoning": {"effort": "low", "summary": "auto"}}


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
    # `responses.stream` has this for every end that is not `response.completed`.
    FAILURE = (openai.APIError, RuntimeError)
    CUT = (openai.APIError, RuntimeError, httpx2.TransportError)

    def __init__(self, door: Door):
        self.model = door.model
        self.client = openai.OpenAI(base_url=f"{door.address}/v1", api_key=door.key, max_retries=0)
        self.responses = self.client.responses

    @staticmethod
    def status(error):
        return error.status_code

    def plain(self):
        return said(self.responses.create(model=self.model, input=QUESTION, store=False))

    def stream(self):
        with self.responses.stream(model=self.model, input=QUESTION, store=False) as stream:
            text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            answer = stream.get_final_response()
        assert text == said(answer).text and answer.status == "completed"
        return said(answer)

    def ask(self, streamed, **asks):
        if not streamed:
            return self.responses.create(model=self.model, **asks)
        with self.responses.stream(model=self.model, **asks) as stream:
            return stream.get_final_response()

    def tools(self, town: Town, streamed: bool, then=None):
        """Two rounds, the second at another door if there is one."""
        items = []
        for client in (self, then or self):
            items.append({"role": "user", "content": WEATHER})
            while True:
                answer = client.ask(streamed, input=items, tools=[TOOL], **ALONE, **REASONING)
                items += [item.to_dict() for item in answer.output]
                for item in items:
                    item.pop("parsed_arguments", None)
                    for part in item.get("content") or []:
                        if isinstance(part, dict):
                            part.pop("parsed", None)
                calls = [item for item in answer.output if item.type == "function_call"]
                if not calls:
                    break
                for call in calls:
                    output = town.weather(**json.loads(call.arguments))
                    items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
        return said(answer)

    def thoughts(self, streamed: bool):
        answer = self.ask(streamed, input=QUESTION, **ALONE, **REASONING)
        assert said(answer).text
        items = [item for item in answer.output if item.type == "reasoning"]
        return "".join(part.text for item in items for part in item.summary)

    def schema(self):
        answer = self.responses.parse(model=self.model, input=WEATHER, text_format=Weather, store=False)
        return answer.output_parsed.model_dump()

    def count(self):
        return self.responses.input_tokens.count(model=self.model, input=QUESTION).input_tokens

    def models(self):
        return [model.id for model in self.client.models.list()]


def said(answer):
    return Said(answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens)
