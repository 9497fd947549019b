"""Clients of each dialect at the real model, whose server answers in three: as they are, translated, and by an approach."""

import json

import anthropic
import openai
from google import genai

UPSTREAMS = {"chat": "openai-chat", "responses": "openai-responses", "messages": "anthropic"}
QUESTION = "Tom has 3 apples and buys 4 more. How many apples does he have? Answer briefly."
LIMIT = 32


def config(port):
    """hone before one server, by the name of each dialect that it speaks."""
    lines = ['listen = "127.0.0.1:0"']
    for name, dialect in UPSTREAMS.items():
        lines += ["[[upstream]]", f'name = "{name}"', f'dialect = "{dialect}"', f'base_url = "http://127.0.0.1:{port}/v1"', 'auth = "none"']
    return "\n".join(lines)


def chat(address, model, headers):
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key="x", max_retries=0, timeout=300, default_headers=headers)
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=LIMIT)
    return answer.choices[0].message.content, answer.usage.completion_tokens


def responses(address, model, headers):
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key="x", max_retries=0, timeout=300, default_headers=headers)
    if model.startswith("responses/") and not headers:
        # The server's own events have no `content_index`, without which the SDK's helper fails; hone forwards them as they are.
        answer = client.responses.create(model=model, input=QUESTION, max_output_tokens=LIMIT)
        return answer.output_text, answer.usage.output_tokens
    with client.responses.stream(model=model, input=QUESTION, max_output_tokens=LIMIT) as stream:
        last = [event for event in stream][-1]
    assert last.type in ("response.completed", "response.incomplete"), last
    return last.response.output_text, last.response.usage.output_tokens


def messages(address, model, headers):
    client = anthropic.Anthropic(base_url=f"http://{address}", api_key="x", max_retries=0, timeout=300, default_headers=headers)
    with client.messages.stream(model=model, max_tokens=LIMIT, messages=[{"role": "user", "content": QUESTION}]) as stream:
        answer = stream.get_final_message()
    return "".join(block.text for block in answer.content if block.type == "text"), answer.usage.output_tokens


def gemini(address, model, headers):
    options = genai.types.HttpOptions(base_url=f"http://{address}", headers=headers, timeout=300_000)
    client = genai.Client(api_key="x", http_options=options)
    answer = client.models.generate_content(model=model, contents=QUESTION, config={"max_output_tokens": LIMIT})
    return answer.text, answer.usage_metadata.candidates_token_count


CLIENTS = {"chat": chat, "responses": responses, "messages": messages, "gemini": gemini}


def check(address):
    """Asks every upstream by every client. Gives the number of answers."""
    asked = 0
    for upstream in UPSTREAMS:
        for client, ask in CLIENTS.items():
            # One of a vote's calls is as long as an answer; three are enough where nothing is translated.
            approaches = ["none", "self_consistency"] if client in (upstream, "gemini") else ["none"]
            for approach in approaches:
                headers = {} if approach == "none" else {"x-hone-approach": approach}
                text, tokens = ask(address, f"{upstream}/smollm2", headers)
                assert text and text.strip() and tokens > 0, (client, upstream, approach, text, tokens)
                asked += 1
                print(f"{client:9} at {upstream:9} {approach:16} {tokens:4} tokens  {json.dumps(' '.join(text.split())[:50])}", flush=True)
    return asked
