"""Requests of clients of each dialect, and which of them meet which upstreams in the benchmark."""

PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/sim-small:generateContent",
}
# What a stream says when it is complete, whatever ended it.
MARKS = {
    "openai-chat": "data: [DONE]\n\n",
    "openai-responses": '"usage":{"input_tokens"',
    "anthropic": '"type":"message_stop"}\n\n',
    "gemini": '"finishReason":"',
}
# Clients and upstreams: every codec reads and writes in these.
PAIRS = [
    ("anthropic", "openai-chat"),
    ("openai-chat", "anthropic"),
    ("openai-responses", "openai-chat"),
    ("openai-chat", "openai-responses"),
    ("gemini", "openai-chat"),
    ("openai-chat", "gemini"),
]


def fields(dialect, messages, most, stream):
    """A request for an answer to `messages`, which are a system prompt and a question, of at most `most` tokens."""
    system, user = (message["content"] for message in messages)
    if dialect == "gemini":
        say = lambda text, **more: {"parts": [{"text": text}], **more}
        contents = [say(user, role="user")]
        return {"systemInstruction": say(system), "contents": contents, "generationConfig": {"maxOutputTokens": most}}
    asked = {"model": "sim-small", **({"stream": True} if stream else {})}
    turn = {"role": "user", "content": user}
    if dialect == "anthropic":
        return {**asked, "max_tokens": most, "system": system, "messages": [turn]}
    if dialect == "openai-responses":
        return {**asked, "max_output_tokens": most, "instructions": system, "input": [turn]}
    return {**asked, "max_tokens": most, "messages": messages}


def asked(bench, dialect, messages, stream=False, most=512, **more):
    """The file of a request, and what `load` is to know of its dialect."""
    name = f"{dialect}-{most}" + "-stream" * stream + "".join(f"-{value}" for value in more.values())
    path = PATHS[dialect]
    if stream and dialect == "gemini":
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    how = {"path": path, **({"mark": MARKS[dialect]} if stream else {})}
    return bench.body(name, **fields(dialect, messages, most, stream), **more), how


def title(client, upstream):
    short = {"openai-chat": "chat", "openai-responses": "responses"}
    return f"{short.get(client, client)} to {short.get(upstream, upstream)}"
