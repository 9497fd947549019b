"""SDKs of other providers, relayed: anthropic on `/v1/messages`."""

import anthropic
import pytest

from clients import LIMITS, SAID, says_the_same, use_up
from conftest import KEY, MESSAGES, PICKED, PLAIN, UPSTREAM


@pytest.fixture(autouse=True)
def words(sim):
    says_the_same(sim)


def client(base_url, key=KEY):
    return anthropic.Anthropic(base_url=base_url.removesuffix("/v1"), api_key=key, max_retries=0)


def ask(client, model=PLAIN):
    return client.messages.create(model=model, max_tokens=50, messages=MESSAGES)


def test_messages(base_url):
    answer = ask(client(base_url))
    assert answer.content[0].text == SAID
    assert answer.usage.output_tokens > 0


def test_a_stream_of_messages(base_url):
    with client(base_url).messages.stream(model=PLAIN, max_tokens=50, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == SAID


def test_approaches_answer_chat_completions_only(base_url):
    with pytest.raises(anthropic.BadRequestError, match="chat/completions"):
        ask(client(base_url), PICKED)


def test_a_limit_is_its_own_error_and_says_when(serve, new_key):
    url = f"http://{serve(UPSTREAM + LIMITS).address}/v1"
    use_up(url, new_key)
    with pytest.raises(anthropic.RateLimitError) as limited:
        ask(client(url, new_key))
    assert 0 < int(limited.value.response.headers["retry-after"]) <= 60
