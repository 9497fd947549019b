"""A provider that plays a script: each step is a call of a tool, or the text that ends the turn.

It speaks all four dialects, and knows by the results in a request which step is next. Requests that
offer no tools are side requests, e.g. for a title: they get `ASIDE`.
"""

import http.server
import json
import re
import threading
import typing
import urllib.parse


class Call(typing.NamedTuple):
    tool: str
    arguments: dict


class Asked(typing.NamedTuple):
    """A request, and how many were before it."""

    path: str
    body: dict
    headers: dict
    number: int

    def id(self, prefix):
        """An id that no other request's answer has: clients take what has the same for the same."""
        return f"{prefix}{self.number}"

    @property
    def tools(self):
        """The names of the tools it offers, those in namespaces included, and their kinds."""
        found = {}
        for tool in self.body.get("tools") or []:
            for one in [tool, *tool.get("tools", []), *tool.get("functionDeclarations", []), tool.get("function") or {}]:
                if "name" in one:
                    found[one["name"]] = one.get("type")
        return found


# What any of them reads of such an answer.
ASIDE = '{"title": "An edit", "complexity_reasoning": "It is simple.", "complexity_score": 10}'
USED = {"input": 90, "output": 10}


class Upstream:
    """The provider, listening on a free port of this machine."""

    def __init__(self, steps):
        self.steps, self.asked, self.asides = steps, [], []
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.reply(200, "application/json", json.dumps({"object": "list", "data": []}))

            def do_HEAD(self):
                self.reply(200, "application/json", "")

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
                path = urllib.parse.unquote(self.path)
                self.reply(*provider.answer(Asked(path, body, dict(self.headers), len(provider.asked) + len(provider.asides))))

            def reply(self, status, kind, text):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()

    def answer(self, asked):
        for pattern, dialect in DIALECTS.items():
            if re.search(pattern, asked.path):
                break
        else:
            return 404, "application/json", "{}"
        if "count" in asked.path:
            return 200, "application/json", json.dumps({"input_tokens": 90, "totalTokens": 90})
        if not asked.tools:
            self.asides.append(asked)
            return dialect(asked, ASIDE)
        self.asked.append(asked)
        done = len(re.findall(RESULT, json.dumps(asked.body)))
        return dialect(asked, self.steps[min(done, len(self.steps) - 1)])


# A result of a tool, in any dialect.
RESULT = r'"type": "(?:tool_result|function_call_output|custom_tool_call_output)"|"role": "tool"|"functionResponse":'


def events(all, names=True):
    lines = [f"event: {one['type']}\n" if names else "" for one in all]
    text = "".join(f"{line}data: {json.dumps(one)}\n\n" for line, one in zip(lines, all))
    return 200, "text/event-stream", text


def whole(answer):
    return 200, "application/json", json.dumps(answer)


def chat(asked, step):
    message, reason = {"role": "assistant", "content": None}, "stop"
    if isinstance(step, Call):
        reason = "tool_calls"
        function = {"name": step.tool, "arguments": json.dumps(step.arguments)}
        message["tool_calls"] = [{"index": 0, "id": asked.id("call_"), "type": "function", "function": function}]
    else:
        message["content"] = step
    answer = {"id": asked.id("chatcmpl-"), "created": 1, "model": asked.body["model"]}
    usage = {"prompt_tokens": USED["input"], "completion_tokens": USED["output"], "total_tokens": 100}
    if not asked.body.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return whole({**answer, "object": "chat.completion", "choices": [choice], "usage": usage})
    chunk = {**answer, "object": "chat.completion.chunk"}
    first = {"index": 0, "delta": message, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": reason}
    status, kind, text = events([{**chunk, "choices": [first]}, {**chunk, "choices": [last], "usage": usage}], False)
    return status, kind, text + "data: [DONE]\n\n"


def messages(asked, step):
    if isinstance(step, Call):
        reason, empty = "tool_use", {"type": "tool_use", "id": asked.id("toolu_"), "name": step.tool, "input": {}}
        block = {**empty, "input": step.arguments}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(step.arguments)}
    else:
        reason, empty = "end_turn", {"type": "text", "text": ""}
        block, delta = {"type": "text", "text": step}, {"type": "text_delta", "text": step}
    usage = {"input_tokens": USED["input"], "output_tokens": USED["output"]}
    message = {"id": asked.id("msg_"), "type": "message", "role": "assistant", "model": asked.body["model"], "stop_sequence": None}
    if not asked.body.get("stream"):
        return whole({**message, "content": [block], "stop_reason": reason, "usage": usage})
    return events([
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ])


def responses(asked, step):
    if not isinstance(step, Call):
        part = {"type": "output_text", "text": step, "annotations": []}
        item = {"type": "message", "id": asked.id("msg_"), "role": "assistant", "status": "completed", "content": [part]}
    elif asked.tools.get(step.tool) == "custom":
        item = {"type": "custom_tool_call", "id": asked.id("ctc_"), "call_id": asked.id("call_"), "name": step.tool, "input": step.arguments["input"]}
    else:
        item = {"type": "function_call", "id": asked.id("fc_"), "call_id": asked.id("call_"), "name": step.tool, "arguments": json.dumps(step.arguments)}
    usage = {"input_tokens": USED["input"], "input_tokens_details": {"cached_tokens": 0}, "total_tokens": 100}
    usage |= {"output_tokens": USED["output"], "output_tokens_details": {"reasoning_tokens": 0}}
    response = {"id": asked.id("resp_"), "object": "response", "created_at": 1, "model": asked.body["model"], "tools": []}
    response |= {"parallel_tool_calls": True, "tool_choice": "auto", "error": None, "incomplete_details": None}
    done = {**response, "status": "completed", "output": [item], "usage": usage}
    if not asked.body.get("stream"):
        return whole(done)
    begun = {**response, "status": "in_progress", "output": []}
    all = [{"type": "response.created", "response": begun}]
    all.append({"type": "response.output_item.added", "output_index": 0, "item": item | {"status": "in_progress"}})
    if isinstance(step, str):
        delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": asked.id("msg_"), "delta": step}
        all.append(delta)
    all.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    all.append({"type": "response.completed", "response": done})
    return events([{**event, "sequence_number": number} for number, event in enumerate(all)])


def gemini(asked, step):
    part = {"text": step}
    if isinstance(step, Call):
        part = {"functionCall": {"name": step.tool, "args": step.arguments}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": USED["input"], "candidatesTokenCount": USED["output"], "totalTokenCount": 100}
    answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-scripted"}
    return events([answer], False) if "alt=sse" in asked.path else whole(answer)


DIALECTS = {
    "/v1/chat/completions": chat,
    "/v1/messages": messages,
    "/v1/responses": responses,
    "/v1(beta)?/models/.*:": gemini,
}
