"""`anthropic`: `messages.create`, `messages.stream`, which checks every event, and the tool runner."""

import anthropic
import httpx2
import pydantic

from . import QUESTION, WEATHER, Door, Said, Town

DIALECT = "anthropic"
LIMIT = 4096
TOOL = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
THINKING = {"type": "adaptive", "display": "summarized"}


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


class Client:
    REFUSALS = {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        429: anthropic.RateLimitError,
        529: anthropic.OverloadedError,
    }
    FAILURE = anthropic.APIError
    CUT = (anthropic.APIError, httpx2.TransportError)

    def __init__(self, door: Door):
        self.model = door.model
        self.client = anthropic.Anthropic(base_url=door.address, api_key=door.key, max_retries=0)
        self.messages = self.client.messages

    @staticmethod
    def status(error):
        return error.status_code

    def asks(self, messages, **more):
        return {"model": self.model, "max_tokens": LIMIT, "messages": messages, **more}

    def plain(self):
        return said(self.messages.create(**self.asks(user(QUESTION))))

    def stream(self):
        with self.messages.stream(**self.asks(user(QUESTION))) as stream:
            text = "".join(stream.text_stream)
            answer = stream.get_final_message()
        assert text == said(answer).text and answer.stop_reason == "end_turn"
        return said(answer)

    def tools(self, town: Town, streamed: bool, then=None):
        """Two rounds, the second at another door if there is one."""
        messages = []
        for client in (self, then or self):
            messages += user(WEATHER)
            while True:
                asks = client.asks(messages, tools=[TOOL], thinking=THINKING)
                answer = client.streamed(asks) if streamed else client.messages.create(**asks)
                messages.append({"role": "assistant", "content": answer.content})
                calls = [block for block in answer.content if block.type == "tool_use"]
                if not calls:
                    break
                assert answer.stop_reason == "tool_use"
                results = [(call.id, town.weather(**call.input)) for call in calls]
                messages += user([{"type": "tool_result", "tool_use_id": id, "content": text} for id, text in results])
        return said(answer)

    def streamed(self, asks):
        with self.messages.stream(**asks) as stream:
            return stream.get_final_message()

    def thoughts(self, streamed: bool):
        asks = self.asks(user(QUESTION), thinking=THINKING)
        answer = self.streamed(asks) if streamed else self.messages.create(**asks)
        assert said(answer).text
        return "".join(block.thinking for block in answer.content if block.type == "thinking")

    def schema(self):
        answer = self.messages.parse(**self.asks(user(WEATHER)), output_format=Weather)
        return answer.parsed_output.model_dump()

    def count(self):
        return self.messages.count_tokens(model=self.model, messages=user(QUESTION)).input_tokens

    def models(self):
        return [model.id for model in self.client.models.list()]


def user(content):
    return [{"role": "user", "content": content}]


def said(message):
    text = "".join(block.text for block in message.content if block.type == "text")
    return Said(text, message.usage.input_tokens, message.usage.output_tokens)
