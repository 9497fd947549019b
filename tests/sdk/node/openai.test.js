// The official `openai` Node SDK, unmodified, against hone.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { assertToldWhen, leave, limited, messages, models, picked, plain, slow, stage } from "./stage.js";

const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "weather", parameters } }];
const client = (baseURL, apiKey = "any-shape-of-key") => new OpenAI({ baseURL, apiKey, maxRetries: 0 });

const { url, stats } = await stage();
const few = await limited();
const waiting = await slow();
const openai = client(url);

for (const model of models) {
  test(`${model}: chat`, async () => {
    const answer = await openai.chat.completions.create({ model, messages });
    assert.ok(answer.choices[0].message.content);
    assert.ok(answer.usage.total_tokens > 0);
    assert.match(answer._request_id, /^req_/);
  });

  test(`${model}: a stream`, async () => {
    const stream = await openai.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    let text = "";
    let usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.ok(text);
    assert.ok(usage.total_tokens > 0);
  });

  test(`${model}: a tool is called in a stream and its result read`, async () => {
    const called = await openai.chat.completions.stream({ model, messages, tools }).finalMessage();
    const [call] = called.tool_calls;
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ["weather", { city: "simulated" }]);
    const result = { role: "tool", tool_call_id: call.id, content: "Sunny." };
    const answer = await openai.chat.completions.create({ model, messages: [...messages, called, result], tools });
    assert.ok(answer.choices[0].message.content);
  });

  test(`${model}: an object of a schema`, async () => {
    const format = zodResponseFormat(z.object({ city: z.string(), degrees: z.number() }), "weather");
    const answer = await openai.chat.completions.parse({ model, messages, response_format: format });
    assert.deepEqual(answer.choices[0].message.parsed, { city: "simulated", degrees: 1 });
  });
}

test("several choices, embeddings and models", async () => {
  for (const model of [plain, picked]) {
    assert.equal((await openai.chat.completions.create({ model, messages, n: 2 })).choices.length, 2);
    assert.equal((await openai.models.retrieve(model)).id, model);
  }
  assert.equal((await openai.embeddings.create({ model: "sim-embed", input: ["a"] })).data.length, 1);
  assert.ok((await openai.models.list()).data.length > 0);
});

test("errors have their types and an id", async () => {
  await assert.rejects(openai.chat.completions.create({ model: "bonn&moa-sim-small", messages }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.match(error.requestID, /^req_/);
    return true;
  });
  await assert.rejects(client(url, "none").chat.completions.create({ model: plain, messages }), OpenAI.AuthenticationError);
});

for (const model of [plain, picked]) {
  test(`${model}: a limit is its own error and says when`, async () => {
    const mine = client(few.url, `key-${model}`);
    assert.ok((await mine.chat.completions.create({ model, messages })).choices.length);
    await assert.rejects(mine.chat.completions.create({ model, messages }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assertToldWhen((name) => error.headers.get(name));
      return true;
    });
  });

  test(`${model}: an aborted call cancels the upstream call`, async () => {
    const call = (signal) => client(waiting.url).chat.completions.create({ model, messages }, { signal });
    await assert.rejects(leave(waiting.stats, call), OpenAI.APIUserAbortError);
  });
}

test("an upstream error is retried by the SDK and keeps its status", async () => {
  const before = (await stats()).calls["chat/completions"];
  const sim = { faults: [{ fault: { status: { status: 503 } } }] };
  const call = openai.chat.completions.create({ model: plain, messages, sim }, { maxRetries: 1 });
  await assert.rejects(call, (error) => error.status === 503);
  assert.equal((await stats()).calls["chat/completions"], before + 2);
});
