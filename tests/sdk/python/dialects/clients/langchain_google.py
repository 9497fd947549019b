"""`langchain-google-genai`."""

import langchain_google_genai as library
from google.genai import errors

from . import Door
from .google_genai import Client as Google
from .langchain import LangChain

DIALECT = "gemini"
REFUSED = library.chat_models.ChatGoogleGenerativeAIError


class Client(LangChain):
    REFUSALS = {400: REFUSED, 401: REFUSED, 429: REFUSED, 503: errors.ServerError}
    FAILURE = (REFUSED, *[Google.FAILURE])
    CUT = (REFUSED, *Google.CUT)
    SCHEMA = {"method": "json_schema"}
    THINKING = {"include_thoughts": True}

    def __init__(self, door: Door):
        self.door = door

    @staticmethod
    def status(error):
        return getattr(error, "code", None) or error.__cause__.code

    def chat(self, **more):
        door = self.door
        # One try: the SDK takes 0 for its default.
        return library.ChatGoogleGenerativeAI(
            model=door.model, base_url=door.address, google_api_key=door.key, max_retries=1, **more
        )
