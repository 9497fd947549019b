"""`langchain-anthropic`."""

import langchain_anthropic as library

from . import Door
from .anthropic_sdk import Client as Anthropic
from .langchain import LangChain

DIALECT = "anthropic"


class Client(LangChain):
    REFUSALS, FAILURE, CUT = Anthropic.REFUSALS, Anthropic.FAILURE, Anthropic.CUT
    SCHEMA = {"method": "json_schema"}
    THINKING = {"thinking": {"type": "adaptive", "display": "summarized"}}
    status = staticmethod(Anthropic.status)

    def __init__(self, door: Door):
        self.door = door

    def chat(self, **more):
        door = self.door
        return library.ChatAnthropic(model=door.model, base_url=door.address, api_key=door.key, max_retries=0, **more)
