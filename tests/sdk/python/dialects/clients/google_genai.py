"""`google-genai`: `generate_content`, and chat sessions, which keep the conversation and call the tools themselves."""

import httpx
import httpx2
import pydantic
from google import genai
from google.genai import errors, types

from . import QUESTION, WEATHER, Door, Said, Town

DIALECT = "gemini"
THINKING = types.ThinkingConfig(include_thoughts=True)


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


class Client:
    REFUSALS = {400: errors.ClientError, 401: errors.ClientError, 429: errors.ClientError, 503: errors.ServerError}
    FAILURE = errors.APIError
    CUT = (errors.APIError, errors.UnknownApiResponseError, httpx.TransportError, httpx2.TransportError)

    def __init__(self, door: Door):
        self.model = door.model
        # The client closes its connections when it is collected, so it is kept beside what it made.
        self.client = genai.Client(api_key=door.key, http_options=types.HttpOptions(base_url=door.address))

    @staticmethod
    def status(error):
        return error.code

    def plain(self):
        return said(self.client.models.generate_content(model=self.model, contents=QUESTION))

    def stream(self):
        chunks = list(self.client.models.generate_content_stream(model=self.model, contents=QUESTION))
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
        usage = chunks[-1].usage_metadata
        return Said("".join(chunk.text or "" for chunk in chunks), *counts(usage))

    def tools(self, town: Town, streamed: bool, then=None):
        """Two rounds, the second at another door if there is one."""
        config = types.GenerateContentConfig(tools=[town.weather], thinking_config=THINKING)
        history = []
        for client in (self, then or self):
            chat = client.client.chats.create(model=client.model, config=config, history=history)
            if streamed:
                chunks = list(chat.send_message_stream(WEATHER))
                answer = Said("".join(chunk.text or "" for chunk in chunks), *counts(chunks[-1].usage_metadata))
            else:
                answer = said(chat.send_message(WEATHER))
            history = chat.get_history()
            # A session leaves out of its history what it takes for no proper answer.
            assert chat.get_history(curated=True) == history
        return answer

    def thoughts(self, streamed: bool):
        config = types.GenerateContentConfig(thinking_config=THINKING)
        asks = {"model": self.model, "contents": QUESTION, "config": config}
        if streamed:
            answers = list(self.client.models.generate_content_stream(**asks))
        else:
            answers = [self.client.models.generate_content(**asks)]
        parts = [part for answer in answers for part in answer.candidates[0].content.parts or []]
        assert "".join(part.text or "" for part in parts if not part.thought)
        return "".join(part.text for part in parts if part.thought)

    def schema(self):
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Weather)
        return self.client.models.generate_content(model=self.model, contents=WEATHER, config=config).parsed.model_dump()

    def count(self):
        return self.client.models.count_tokens(model=self.model, contents=QUESTION).total_tokens

    def models(self):
        return [model.name.removeprefix("models/") for model in self.client.models.list()]


def said(answer):
    return Said(answer.text, *counts(answer.usage_metadata))


def counts(usage):
    return usage.prompt_token_count, (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
