// The official `openai` Node SDK, unmodified, against hone. Starts a simulated provider and hone as two real processes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { start } from "./processes.js";

const messages = [{ role: "user", content: "What is 2 + 3?" }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];

let sim;
let hone;
let client;

async function stats() {
  return (await fetch(`http://${sim.address}/sim/stats`)).json();
}

async function until(condition, what) {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(what);
}

before(async () => {
  sim = await start("sim", "--listen", "127.0.0.1:0");
  hone = await start("serve", "--listen", "127.0.0.1:0", "--upstream", `http://${sim.address}/v1`);
  client = new OpenAI({ baseURL: `http://${hone.address}/v1`, apiKey: "any-shape-of-key" });
});

after(() => {
  hone?.child.kill();
  sim?.child.kill();
});

for (const model of ["sim-small", "bon-sim-small", "moa-sim-small"]) {
  test(`chat through ${model}`, async () => {
    const answer = await client.chat.completions.create({ model, messages });
    assert.ok(answer.choices[0].message.content);
    assert.ok(answer.usage.total_tokens > 0);
  });

  test(`a stream through ${model}`, async () => {
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    let text = "";
    let usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.ok(text);
    assert.ok(usage.total_tokens > 0);
  });
}

test("tool calls survive in a stream", async () => {
  const stream = await client.chat.completions.create({ model: "sim-small", messages, tools, stream: true, sim: { tool_calls: true } });
  const names = [];
  for await (const chunk of stream) {
    for (const call of chunk.choices[0]?.delta?.tool_calls ?? []) if (call.function?.name) names.push(call.function.name);
  }
  assert.deepEqual(names, ["weather"]);
});

test("several choices, embeddings and models", async () => {
  assert.equal((await client.chat.completions.create({ model: "sim-small", messages, n: 2 })).choices.length, 2);
  assert.equal((await client.embeddings.create({ model: "sim-embed", input: ["a"] })).data.length, 1);
  assert.ok((await client.models.list()).data.length > 0);
});

test("errors have their types", async () => {
  await assert.rejects(client.chat.completions.create({ model: "bonn&moa-sim-small", messages }), OpenAI.BadRequestError);
  const keyless = new OpenAI({ baseURL: client.baseURL, apiKey: "none" });
  await assert.rejects(keyless.chat.completions.create({ model: "sim-small", messages }), OpenAI.AuthenticationError);
});

test("an upstream error is retried by the SDK and keeps its status", async () => {
  const before = (await stats()).calls["chat/completions"];
  const call = client.chat.completions.create({ model: "sim-small", messages, sim: { faults: [{ fault: { status: { status: 503 } } }] } }, { maxRetries: 1 });
  await assert.rejects(call, (error) => error.status === 503);
  assert.equal((await stats()).calls["chat/completions"], before + 2);
});

test("an aborted call cancels the upstream call", async () => {
  const before = await stats();
  const controller = new AbortController();
  const call = client.chat.completions.create({ model: "bon-sim-small", messages, sim: { latency: { constant: { ms: 20000 } } } }, { signal: controller.signal });
  call.catch(() => {});
  await until(async () => (await stats()).in_flight > before.in_flight, "the call never reached the upstream");
  controller.abort();
  await assert.rejects(call, OpenAI.APIUserAbortError);
  await until(async () => (await stats()).in_flight === before.in_flight, "the upstream call goes on");
});
