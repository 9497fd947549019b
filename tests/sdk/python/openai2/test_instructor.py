"""instructor, unmodified, against hone."""

import instructor
import openai
import pydantic
import pytest
from instructor.core.exceptions import InstructorRetryException

from conftest import KEY, MODELS, PICKED, PLAIN, SLOW, assert_told_when

MODES = [instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA]
MESSAGES = [{"role": "user", "content": "How is the weather in Rome?"}]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


WEATHER = {"city": "simulated", "degrees": 1}


def client(base_url, mode=instructor.Mode.TOOLS, key=KEY, openai=openai.OpenAI):
    return instructor.from_openai(openai(base_url=base_url, api_key=key, max_retries=0), mode=mode)


def ask(client, model, **more):
    return client.chat.completions.create(model=model, messages=MESSAGES, response_model=Weather, max_retries=0, **more)


@pytest.mark.parametrize("mode", MODES[::2], ids=lambda mode: mode.value)
@pytest.mark.parametrize("model", MODELS)
def test_an_answer_has_its_type(base_url, model, mode):
    assert ask(client(base_url, mode), model).model_dump() == WEATHER


@pytest.mark.parametrize("mode", MODES[::2], ids=lambda mode: mode.value)
@pytest.mark.parametrize("model", MODELS)
def test_an_answer_grows_in_a_stream(base_url, model, mode):
    partial = client(base_url, mode).chat.completions.create_partial(model=model, messages=MESSAGES, response_model=Weather, max_retries=0)
    *_, last = partial
    assert last.model_dump() == WEATHER


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_that_does_not_fit_is_asked_for_again(base_url, model):
    """JSON without a schema, which the simulated provider fills with an answer of its own."""
    asker = client(base_url, instructor.Mode.JSON)
    with pytest.raises(InstructorRetryException) as failed:
        asker.chat.completions.create(model=model, messages=MESSAGES, response_model=Weather, max_retries=2)
    assert failed.value.n_attempts > 1


@pytest.mark.parametrize("model", [PLAIN, PICKED])
def test_a_limit_is_its_own_error_and_says_when(limited_url, new_key, model):
    limited = client(limited_url, key=new_key)
    assert ask(limited, model).model_dump() == WEATHER
    with pytest.raises((openai.RateLimitError, InstructorRetryException)) as refused:
        ask(limited, model)
    error = refused.value
    while not isinstance(error, openai.RateLimitError):
        error = error.__cause__
    assert_told_when(error.response.headers)


@pytest.mark.parametrize("model", [PLAIN, PICKED])
async def test_a_cancelled_call_cancels_the_upstream_call(base_url, model, leave):
    await leave(ask(client(base_url, openai=openai.AsyncOpenAI), model, extra_body=SLOW))
