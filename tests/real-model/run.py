"""A short run of every method over a real small model, through hone, with the official SDK. Usage: run.py HONE_BINARY MODEL_FILE

It shows that the methods work against a genuine server and model. It does not measure quality: the model is far too small, and the answers too few.
"""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import openai

import dialects

METHODS = ["none", "re2", "cot_reflection", "bon", "self_consistency", "majority_voting", "moa", "genselect"]
SMALL = {
    "bon": {"best_of_n": 2},
    "self_consistency": {"num_samples": 3},
    "majority_voting": {"k": 3},
    "genselect": {"num_candidates": 2},
    "moa": {"moa_proposers": 2},
}
MESSAGES = [{"role": "user", "content": "Tom has 3 apples and buys 4 more. How many apples does he have? Answer briefly."}]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_model(client, process):
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the model server ended with status {process.returncode}")
        try:
            client.chat.completions.create(model="smollm2", messages=MESSAGES, max_tokens=1)
            return
        except (openai.APIConnectionError, openai.InternalServerError):
            time.sleep(0.2)
    raise SystemExit("the model server did not come up")


def start_hone(binary, *options):
    hone = subprocess.Popen(
        [binary, "serve", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in hone.stdout:
        found = re.search(r"listening.*?(127\.0\.0\.1:\d+)", line)
        if found:
            threading.Thread(target=hone.stdout.read, daemon=True).start()
            return hone, found.group(1)
    raise SystemExit("hone did not start")


def main():
    binary, model = sys.argv[1:3]
    port = free_port()
    here = pathlib.Path(__file__).resolve().parent
    server = subprocess.Popen([sys.executable, str(here / "serve.py"), model, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    hones = []
    try:
        wait_for_model(openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="x", max_retries=0), server)
        hone, address = start_hone(binary, "--listen", "127.0.0.1:0", "--upstream", f"http://127.0.0.1:{port}/v1")
        hones.append(hone)
        client = openai.OpenAI(base_url=f"http://{address}/v1", api_key="x", max_retries=0, timeout=300)
        for method in METHODS:
            check(client, method)
        check_stream(client)
        check_judges(client)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "hone.toml"
            path.write_text(dialects.config(port))
            hone, address = start_hone(binary, "--config", str(path))
            hones.append(hone)
            asked = dialects.check(address)
        print(f"{len(METHODS) + 2 + asked} passed, 0 failed")
    finally:
        for process in (*hones, server):
            process.terminate()
            process.wait(timeout=60)


def check(client, method):
    began = time.monotonic()
    raw = client.chat.completions.with_raw_response.create(
        model=f"{method}-smollm2", messages=MESSAGES, max_tokens=48, temperature=0.7, seed=1, extra_body=SMALL.get(method, {})
    )
    answer = raw.parse()
    choice = answer.choices[0]
    assert choice.finish_reason in ("stop", "length"), choice
    assert choice.message.content is not None, choice
    assert answer.usage.total_tokens > 0, answer
    calls = raw.headers.get("x-hone-upstream-calls", "1")
    text = " ".join(choice.message.content.split())[:60]
    print(f"{method:17} {calls:>2} calls {answer.usage.total_tokens:5} tokens {time.monotonic() - began:6.1f} s  {text!r}", flush=True)


def check_stream(client):
    stream = client.chat.completions.create(
        model="moa-smollm2", messages=MESSAGES, max_tokens=48, stream=True, stream_options={"include_usage": True}, extra_body=SMALL["moa"]
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.total_tokens > 0
    print(f"moa, streamed     {len(chunks)} chunks", flush=True)


def check_judges(client):
    """A judge of this size talks on until something ends it: hone does, twice at most."""
    raw = client.chat.completions.with_raw_response.create(
        model="bon-smollm2", messages=MESSAGES, max_tokens=60, extra_body={"best_of_n": 2, "judge_always": True}
    )
    spent, calls = raw.parse().usage.completion_tokens, int(raw.headers["x-hone-upstream-calls"])
    assert spent <= 250, f"{spent} completion tokens"
    # A first call that is refused its n and two candidates, or one call for both; two verdicts, each asked for twice.
    assert calls <= 7, f"{calls} calls"
    print(f"bon, judged       {calls} calls {spent} completion tokens", flush=True)


if __name__ == "__main__":
    main()
