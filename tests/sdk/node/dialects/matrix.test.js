// Every client, in each case, at an upstream of each dialect, in each way.
//
// `.ci/run` runs one row and one column of it, `HONE_MATRIX=all` the whole.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Town } from "./clients/common.js";
import { stage, upstreams } from "./upstreams.js";

const names = [
  "anthropic-sdk",
  "openai-responses",
  "openai-agents",
  "google-genai",
  "langchain-anthropic",
  "langchain-google",
  "langchain-google-genai",
  "ai-openai",
  "ai-anthropic",
  "ai-google",
];
const clients = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await import(`./clients/${name}.js`)])));

// Words enough that a stream has a middle.
const long = { content: Array(40).fill("word").join(" ") };
const fault = (what) => ({ faults: [{ fault: what }] });

// Each case: how the provider behaves, and what is then true of the client.
function answers({ text, prompt, completion }) {
  assert.match(text, /5/);
  assert.ok(prompt > 0 && completion > 0, `${prompt} and ${completion} tokens`);
}

async function tools(client, streamed) {
  const town = new Town();
  assert.ok((await client.tools(town, streamed)).text);
  assert.deepEqual(town.asked, ["simulated", "simulated"]);
}

const refused = (status) => async (client, { module, stage }) => {
  // The status as the provider's dialect has it, and as the client's does.
  const real = status === 529 ? stage.upstream.overloaded : status;
  const told = status === 529 && module.dialect !== "anthropic" ? 503 : status;
  await stage.set(fault({ status: { status: real, retry_after: "30" } }));
  for (const verb of [client.plain, client.stream]) {
    await assert.rejects(verb(), (error) => {
      assert.ok(error instanceof module.refusals[told], String(error));
      assert.equal(module.status(error), told);
      return true;
    });
  }
};

/** A failure inside a stream. Clients that do not hear the provider's own word for it take it for an end. */
async function fails(client, { module, way }) {
  if (module.isDeaf && ["direct", "relay"].includes(way)) assert.ok((await client.stream()).text);
  else await assert.rejects(client.stream(), module.isFailure);
}

const cases = {
  plain: [async (client) => answers(await client.plain())],
  stream: [async (client) => answers(await client.stream())],
  tools: [(client) => tools(client, false)],
  "tools streamed": [(client) => tools(client, true)],
  thoughts: [async (client) => assert.ok(await client.thoughts(false)), { reasoning: "field" }],
  "thoughts streamed": [async (client) => assert.ok(await client.thoughts(true)), { reasoning: "field" }],
  schema: [async (client) => assert.deepEqual(await client.schema(), { city: "simulated", degrees: 1 })],
  400: [refused(400)],
  401: [refused(401)],
  429: [refused(429)],
  529: [refused(529)],
  fails: [fails, { ...long, ...fault("error_event") }],
  "breaks off": [(client, { module }) => assert.rejects(client.stream(), module.isCut), { ...long, ...fault("cut_mid_body") }],
};

/** Whether a cell of the matrix is run. */
const everything = process.env.HONE_MATRIX === "all";
const chosen = (way, name) => everything || (way === "relay" && ["plain", "stream", "tools streamed"].includes(name));

for (const dialect of Object.keys(upstreams)) {
  const here = await stage(dialect);
  for (const [name, module] of Object.entries(clients)) {
    const own = dialect === "gemini" ? ["direct"] : ["direct", "relay"];
    for (const way of module.dialect === dialect ? own : []) {
      for (const [title, [check, knobs]] of Object.entries(cases)) {
        if (!chosen(way, title) || module.cannot?.includes(title)) continue;
        test(`${name} at ${dialect}, ${way}: ${title}`, async () => {
          await here.set(knobs);
          await check(module.client(here.door(way)), { module, stage: here, way });
        });
      }
    }
  }
}
