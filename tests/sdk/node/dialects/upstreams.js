// The simulated providers, one a dialect, and the hones in front of them.

import { createHash } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";

import { start } from "../processes.js";

/** Each as strict as the real provider. */
export const upstreams = {
  "openai-chat": { model: "sim-small", path: "/v1", overloaded: 503, knobs: { speaks: "chat", strict: ["unknown_fields", "both_token_limits"] } },
  "openai-responses": { model: "gpt-5.4", path: "/v1", overloaded: 503, knobs: { speaks: "responses", profile: "responses" } },
  anthropic: { model: "claude-sonnet-4-6", path: "/v1", overloaded: 529, knobs: { speaks: "messages", profile: "anthropic" } },
  gemini: { model: "gemini-3-flash-preview", path: "", overloaded: 503, knobs: { speaks: "gemini", profile: "gemini" } },
};
const config = (dialect, address) => `
listen = "127.0.0.1:0"

[[upstream]]
name = "sim"
dialect = "${dialect}"
base_url = "${address}"
`;
const key = "any-shape-of-key";
// It knows one key, which must come where the dialect has it.
const keys = [`sha256:${createHash("sha256").update(key).digest("hex")}`];
const usual = { tool_calls: true, calls: 1, arithmetic: true, reasoning: "none", content: null, faults: [], keys };

/** A provider of one dialect, a hone in front of it, and how a client reaches it in a certain way. */
export async function stage(dialect) {
  const upstream = upstreams[dialect];
  const sim = await start("sim", "--listen", "127.0.0.1:0");
  after(() => sim.child.kill());
  const file = path.join(await mkdtemp(path.join(tmpdir(), "hone-sdk-")), "hone.toml");
  await writeFile(file, config(dialect, `http://${sim.address}${upstream.path}`));
  const hone = await start("serve", "--config", file);
  after(() => hone.child.kill());
  return {
    upstream,
    /** Has the provider behave like this, and in all else as its dialect does. */
    async set(knobs) {
      const body = JSON.stringify({ ...usual, ...upstream.knobs, ...knobs });
      const { ok } = await fetch(`http://${sim.address}/sim/knobs`, { method: "POST", body });
      if (!ok) throw new Error(`the provider refuses ${body}`);
    },
    door: (way) => ({
      address: `http://${way === "direct" ? sim.address : hone.address}`,
      model: `${way === "bon" ? "bon-" : ""}${upstream.model}`,
      key,
    }),
  };
}
