"""A provider that plays a script: each step is a call of a tool, or the text that ends the turn.

It speaks one of four dialects, and knows by the results in a request which step is next. Requests that
offer no tools are side requests, e.g. for a title: they get `ASIDE`.
"""

import http.server
import itertools
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

    def tools(self):
        """The tools it offers, each by its name, with the namespace that it is in."""
        inputs = self.body.get("input")
        lists = [self.body.get("tools") or []]
        lists += [item["tools"] for item in inputs if item.get("type") == "additional_tools"] if isinstance(inputs, list) else []
        found = {}
        for tool in itertools.chain(*lists):
            namespace = tool.get("name") if tool.get("type") == "namespace" else None
            inner = tool.get("tools", []) if namespace else tool.get("functionDeclarations") or [tool.get("function") or tool]
            found |= {one["name"]: {**one, "namespace": namespace} for one in inner if "name" in one}
        return found

    def results(self):
        """How many results of tools it has."""
        return len(re.findall(RESULT, json.dumps(self.body)))

    def is_signed(self):
        return SIGNATURE in json.dumps(self.body)

    def offered(self, name):
        """The name under which a tool is offered: in another dialect its namespace is a part of it."""
        return next((one for one in self.tools() if one == name or one.endswith(f"__{name}")), name)


# What any of them reads of such an answer.
ASIDE = '{"title": "An edit", "complexity_reasoning": "It is simple.", "complexity_score": 10}'
# What the judge of `bon` says.
VERDICT = "Best candidate: 1"
# What signs the reasoning before a call, and is to come back with it.
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBwcm92aWRlcg=="
USED = {"input": 90, "output": 10}


class Upstream:
    """The provider, listening on a free port of this machine."""

    def __init__(self, dialect, steps):
        self.dialect, self.steps, self.asked, self.asides, self.counted = dialect, steps, [], [], 0
        self.has_signed = False
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
        pattern, say = DIALECTS[self.dialect]
        if not re.match(pattern, asked.path):
            return 404, "application/json", "{}"
        if re.search("count_tokens|countTokens|input_tokens", asked.path):
            self.counted += 1
            return whole({"input_tokens": 90, "totalTokens": 90})
        if not asked.tools():
            self.asides.append(asked)
            return say(asked, VERDICT if VERDICT[:14] in json.dumps(asked.body) else ASIDE)
        self.asked.append(asked)
        answer = say(asked, self.steps[min(asked.results(), len(self.steps) - 1)])
        self.has_signed |= SIGNATURE in answer[-1]
        return answer


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
        function = {"name": asked.offered(step.tool), "arguments": json.dumps(step.arguments)}
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
        reason, block = "tool_use", {"type": "tool_use", "id": asked.id("toolu_"), "name": asked.offered(step.tool)}
        blocks = [({**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(step.arguments)})]
        whole_blocks = [{**block, "input": step.arguments}]
        if asked.body.get("thinking", {}).get("type", "disabled") != "disabled":
            thinking = {"type": "thinking", "thinking": "", "signature": ""}
            blocks.insert(0, (thinking, {"type": "signature_delta", "signature": SIGNATURE}))
            whole_blocks.insert(0, {**thinking, "signature": SIGNATURE})
    else:
        reason, blocks = "end_turn", [({"type": "text", "text": ""}, {"type": "text_delta", "text": step})]
        whole_blocks = [{"type": "text", "text": step}]
    usage = {"input_tokens": USED["input"], "output_tokens": USED["output"]}
    message = {"id": asked.id("msg_"), "type": "message", "role": "assistant", "model": asked.body["model"]}
    message |= {"stop_reason": reason, "stop_sequence": None, "usage": usage}
    if not asked.body.get("stream"):
        return whole({**message, "content": whole_blocks})
    all = [{"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}]
    for index, (block, delta) in enumerate(blocks):
        all.append({"type": "content_block_start", "index": index, "content_block": block})
        all.append({"type": "content_block_delta", "index": index, "delta": delta})
        all.append({"type": "content_block_stop", "index": index})
    all.append({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage})
    return events([*all, {"type": "message_stop"}])


def responses(asked, step):
    if not isinstance(step, Call):
        part = {"type": "output_text", "text": step, "annotations": []}
        item = {"type": "message", "id": asked.id("msg_"), "role": "assistant", "status": "completed", "content": [part]}
    else:
        tool = asked.tools().get(step.tool, {})
        item = {"call_id": asked.id("call_"), "name": step.tool}
        item |= {"namespace": tool["namespace"]} if tool.get("namespace") else {}
        if tool.get("type") == "custom":
            item |= {"type": "custom_tool_call", "id": asked.id("ctc_"), "input": step.arguments["input"]}
        else:
            item |= {"type": "function_call", "id": asked.id("fc_"), "arguments": json.dumps(step.arguments)}
    usage = {"input_tokens": USED["input"], "input_tokens_details": {"cached_tokens": 0}, "total_tokens": 100}
    usage |= {"output_tokens": USED["output"], "output_tokens_details": {"reasoning_tokens": 0}}
    response = {"id": asked.id("resp_"), "object": "response", "created_at": 1, "model": asked.body["model"], "tools": []}
    response |= {"parallel_tool_calls": True, "tool_choice": "auto", "error": None, "incomplete_details": None}
    items = [item]
    if isinstance(step, Call) and "reasoning.encrypted_content" in asked.body.get("include", []):
        items.insert(0, {"type": "reasoning", "id": asked.id("rs_"), "summary": [], "encrypted_content": SIGNATURE})
    done = {**response, "status": "completed", "output": items, "usage": usage}
    if not asked.body.get("stream"):
        return whole(done)
    begun = {**response, "status": "in_progress", "output": []}
    all = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(items):
        place = {"output_index": index}
        all.append({"type": "response.output_item.added", **place, "item": item | {"status": "in_progress"}})
        if item["type"] == "message":
            place |= {"content_index": 0, "item_id": item["id"]}
            all.append({"type": "response.output_text.delta", **place, "delta": step})
        all.append({"type": "response.output_item.done", "output_index": index, "item": item})
    all.append({"type": "response.completed", "response": done})
    return events([{**event, "sequence_number": number} for number, event in enumerate(all)])


def gemini(asked, step):
    part = {"text": step}
    if isinstance(step, Call):
        part = {"functionCall": {"name": asked.offered(step.tool), "args": step.arguments}, "thoughtSignature": SIGNATURE}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": USED["input"], "candidatesTokenCount": USED["output"], "totalTokenCount": 100}
    answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-scripted"}
    return events([answer], False) if "alt=sse" in asked.path else whole(answer)


# Where each is asked, and how it is answered.
DIALECTS = {
    "openai-chat": ("/v1/chat/completions", chat),
    "anthropic": ("/v1/messages", messages),
    "openai-responses": ("/v1/responses", responses),
    "gemini": ("/v1(beta)?/models/.*:", gemini),
}
