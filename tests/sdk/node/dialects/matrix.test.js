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

async function tools(client, streamed, calls = 1) {
  const town = new Town();
  assert.ok((await client.tools(town, streamed)).text);
  assert.deepEqual(town.asked, Array(2 * calls).fill("simulated"));
}

/** A conversation that goes on without hone's translation, where nothing of it may be left. */
async function handover(client, { module }) {
  const town = new Town();
  const own = stages.get(module.dialect);
  await own.set({});
  assert.ok((await client.tools(town, true, module.client(own.door("relay")))).text);
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
  parallel: [(client) => tools(client, true, 3), { calls: 3 }],
  handover: [handover],
  thoughts: [async (client) => assert.ok(await client.thoughts(false)), { reasoning: "field" }],
  "thoughts streamed": [async (client) => assert.ok(await client.thoughts(true)), { reasoning: "field" }],
  schema: [async (client) => assert.deepEqual(await client.schema(), { city: "simulated", degrees: 1 })],
  count: [async (client) => assert.ok((await client.count()) > 0)],
  models: [async (client) => assert.deepEqual((await client.models()).filter((id) => /^sim-(small|large)$/.test(id)).length, 2)],
  400: [refused(400)],
  401: [refused(401)],
  429: [refused(429)],
  529: [refused(529)],
  fails: [fails, { ...long, ...fault("error_event") }],
  "ends early": [fails, { ...long, ...fault("end_mid_body") }],
  "breaks off": [(client, { module }) => assert.rejects(client.stream(), module.isCut), { ...long, ...fault("cut_mid_body") }],
};

// These take longer than hone lets a stream be silent, and run beside each other, each with a provider of its own for
// all cells. An approach is silent until it has its answer.
const slow = { latency: { constant: { ms: 11_000 } } };
const refusal = fault({ status: { status: 400 } });
const slowCases = {
  beats: [async (client) => answers(await client.stream()), { translated: { tokens_per_second: 1, chunk_tokens: 12 }, bon: slow }],
  "fails late": [fails, { translated: { ...slow, ...refusal }, bon: { ...slow, ...refusal } }],
};

/** What hone does wrong, by the names of tests: each must fail until it is mended. */
const known = [];

function isThere(name, dialect, way, title) {
  const isVendors = ["anthropic-sdk", "openai-responses", "google-genai"].includes(name);
  if (["count", "models"].includes(title)) return isVendors;
  if (title === "handover") return isVendors && ["translated", "bon"].includes(way);
  // The simulated chat makes one call.
  if (title === "parallel") return dialect !== "openai-chat";
  // hone sends nothing of its own into a stream that it relays, and does not see where that should have ended.
  return ["translated", "bon"].includes(way) || !["ends early", ...Object.keys(slowCases)].includes(title);
}

/** What .ci/run asks for: the client's own dialect in brief, and all cases at one provider of another. */
const isUsual = (own, dialect, way, title) =>
  own
    ? ["relay", "bon"].includes(way) && ["plain", "stream", "tools streamed"].includes(title)
    : way === "translated" && dialect === "openai-chat" && title !== "fails late";

const everything = process.env.HONE_MATRIX === "all";
const cells = [];
for (const dialect of Object.keys(upstreams)) {
  for (const [name, module] of Object.entries(clients)) {
    const own = module.dialect === dialect;
    const ways = own ? ["direct", "relay", "bon"] : ["translated", "bon"];
    for (const way of ways) {
      for (const title of [...Object.keys(cases), ...Object.keys(slowCases)]) {
        const isChosen = isThere(name, dialect, way, title) && (everything || isUsual(own, dialect, way, title));
        if (isChosen && !module.cannot?.includes(title)) cells.push({ dialect, name, way, title });
      }
    }
  }
}

const stageOf = ({ dialect, way, title }) => [dialect, ...(title in slowCases ? [way, title] : [])].join(", ");
const stages = new Map(cells.map((cell) => [stageOf(cell), cell.dialect]));
for (const [key, dialect] of stages) stages.set(key, await stage(dialect));

for (const cell of cells) {
  const { dialect, name, way, title } = cell;
  const module = clients[name];
  const here = stages.get(stageOf(cell));
  const run = async () => {
    const isSlow = title in slowCases;
    const [check, knobs] = isSlow ? slowCases[title] : cases[title];
    await here.set(isSlow ? knobs[way] : knobs);
    await check(module.client(here.door(way)), { module, stage: here, way });
  };
  const full = `${name} at ${dialect}, ${way}: ${title}`;
  const begun = title in slowCases && run();
  if (begun) begun.catch(() => {});
  const reason = known.find(([pattern]) => pattern.test(full))?.[1];
  test(full, async () => {
    const ended = begun || run();
    await (reason ? assert.rejects(ended, undefined, `mended, so it is no longer known: ${reason}`) : ended);
  });
}
