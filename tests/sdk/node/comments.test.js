// Comments in the stream of an approach that works for some time: every client skips them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import OpenAI from "openai";

import { messages, question, stage } from "./stage.js";

const { url } = await stage({ knobs: { latency: { constant: { ms: 21000 } } } });
const model = "re2-sim-small";
const key = { baseURL: url, apiKey: "any-shape-of-key" };

async function raw() {
  const headers = { authorization: "Bearer any-shape-of-key", "content-type": "application/json" };
  const body = JSON.stringify({ model, messages, stream: true });
  return (await fetch(`${url}/chat/completions`, { method: "POST", headers, body })).text();
}

async function ofOpenai() {
  let text = "";
  const stream = await new OpenAI(key).chat.completions.create({ model, messages, stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  return text;
}

const ofAi = (provider) => streamText({ model: provider(model), prompt: question }).text;

test("comments come and every client skips them", async () => {
  const chat = ofAi(createOpenAI(key).chat);
  const compatible = ofAi(createOpenAICompatible({ name: "hone", ...key }));
  const [stream, ...texts] = await Promise.all([raw(), ofOpenai(), chat, compatible]);
  const comments = stream.split("\n").filter((line) => line.startsWith(":"));
  assert.equal(comments[0], ": working");
  assert.match(comments.at(-1), /^: hone \{/);
  for (const text of texts) assert.ok(text && !text.includes(":"), text);
});
