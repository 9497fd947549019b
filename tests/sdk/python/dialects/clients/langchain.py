"""What all chat models of LangChain do alike."""

import pydantic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from . import QUESTION, WEATHER, Said, Town


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


class LangChain:
    """A client whose `chat` makes the model."""

    SCHEMA = {}
    THINKING = {}

    def plain(self):
        return said(self.chat().invoke(QUESTION))

    def stream(self):
        return said(whole(self.chat().stream(QUESTION)))

    def tools(self, town: Town, streamed: bool):
        bound = self.chat(**self.THINKING).bind_tools([tool(town.weather)])
        messages = []
        for _ in range(2):
            messages.append(HumanMessage(WEATHER))
            while True:
                answer = whole(bound.stream(messages)) if streamed else bound.invoke(messages)
                messages.append(answer)
                if not answer.tool_calls:
                    break
                messages += [tool(town.weather).invoke(call) for call in answer.tool_calls]
        return said(answer)

    def thoughts(self, streamed: bool):
        chat = self.chat(**self.THINKING)
        answer = whole(chat.stream(QUESTION)) if streamed else chat.invoke(QUESTION)
        assert answer.text
        return "".join(block["reasoning"] for block in answer.content_blocks if block["type"] == "reasoning")

    def schema(self):
        return self.chat().with_structured_output(Weather, **self.SCHEMA).invoke(WEATHER).model_dump()


def whole(chunks):
    total = None
    for chunk in chunks:
        total = chunk if total is None else total + chunk
    return total


def said(message):
    return Said(message.text, message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"])
