"""LiteLLM's proxy in front of hone, and hone in front of LiteLLM's proxy."""

import json
import os
import socket
import subprocess
import time
import urllib.request

import openai
import pytest

from clients import LIMITS, SAID, installed, says_the_same, use_up
from conftest import KEY, MESSAGES, MODELS, PICKED, PLAIN, UPSTREAM

MASTER = "sk-0123456789-of-the-proxy"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, sim):
    """Starts LiteLLM's proxy before this URL, and stops it at the end."""
    program = installed("litellm", "bin", "litellm")
    says_the_same(sim)
    started = []

    def start(url, key=KEY):
        file, port = tmp_path_factory.mktemp("litellm") / "config.yaml", free_port()
        to = {"model": "openai/*", "api_base": url, "api_key": key}
        file.write_text(json.dumps({"model_list": [{"model_name": "*", "litellm_params": to}], "litellm_settings": {"num_retries": 0}}))
        command = [program, "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        started.append(subprocess.Popen(command, env=os.environ | {"LITELLM_MASTER_KEY": MASTER}, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT))
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness").close()
                return f"http://127.0.0.1:{port}/v1"
            except OSError:
                time.sleep(1)
        raise AssertionError("LiteLLM's proxy does not start")

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def before_hone(proxy, base_url):
    return openai.OpenAI(base_url=proxy(base_url), api_key=MASTER, max_retries=0)


@pytest.fixture(scope="module")
def behind_hone(proxy, sim, serve):
    hone = serve(UPSTREAM.replace("{base_url}", proxy(f"http://{sim.address}/v1")))
    return openai.OpenAI(base_url=f"http://{hone.address}/v1", api_key=MASTER, max_retries=0)


@pytest.fixture(params=["before_hone", "behind_hone"])
def client(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("model", MODELS)
def test_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=MESSAGES)
    assert answer.choices[0].message.content == SAID
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_stream(client, model):
    chunks = list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID
    assert chunks[-1].usage.total_tokens > 0


def test_a_limit_of_hones_comes_through_the_proxy(proxy, serve, new_key):
    url = f"http://{serve(UPSTREAM + LIMITS).address}/v1"
    client = openai.OpenAI(base_url=proxy(url, new_key), api_key=MASTER, max_retries=0)
    use_up(url, new_key)
    for model in (PLAIN, PICKED):
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model=model, messages=MESSAGES)
