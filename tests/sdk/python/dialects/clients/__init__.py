"""What each client does, in the same few verbs. Each file is one client, as its users write it."""

import typing

QUESTION = "What is 2 + 3?"
WEATHER = "How is the weather in Rome?"
# What the simulated provider makes of a schema with these two members.
SCHEMA_ANSWER = {"city": "simulated", "degrees": 1}


class Said(typing.NamedTuple):
    """An answer, as its client shows it."""

    text: str
    prompt: int
    completion: int


class Door(typing.NamedTuple):
    """Where a client asks, for which model."""

    address: str
    model: str
    key: str = "any-shape-of-key"


class Town:
    """A tool, and what it was asked."""

    def __init__(self):
        self.asked = []

    def weather(self, city: str) -> str:
        """The weather of a city."""
        self.asked.append(city)
        return f"Sunny in {city}."
