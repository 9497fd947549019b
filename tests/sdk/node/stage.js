// A simulated provider and hone in front of it, for a file of tests.

import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { start } from "./processes.js";

export const plain = "sim-small";
/** An answer that a judge picks, and one that several drafts are merged into, which streams as it is written. */
export const [picked, merged] = ["bon-sim-small", "moa-sim-small"];
export const models = [plain, picked, merged];
export const question = "What is 2 + 3?";
export const messages = [{ role: "user", content: question }];

/** Starts both; they are stopped after the file's tests. `knobs` set the provider, `config` is more of hone's configuration. */
export async function stage({ knobs = { tool_calls: true }, config = "" } = {}) {
  const sim = await start("sim", "--listen", "127.0.0.1:0");
  after(() => sim.child.kill());
  await fetch(`http://${sim.address}/sim/knobs`, { method: "POST", body: JSON.stringify(knobs) });
  const file = path.join(await mkdtemp(path.join(tmpdir(), "hone-sdk-")), "hone.toml");
  await writeFile(file, `listen = "127.0.0.1:0"\n[[upstream]]\nname = "sim"\nbase_url = "http://${sim.address}/v1"\n${config}`);
  const hone = await start("serve", "--config", file);
  after(() => hone.child.kill());
  const stats = async () => (await fetch(`http://${sim.address}/sim/stats`)).json();
  return { url: `http://${hone.address}/v1`, stats };
}

/** One where each key has one request a minute. */
export const limited = () => stage({ config: "[limits]\nrequests_per_minute = 1\n[limits.address]\nrequests_per_minute = 1000\n" });

/** One whose provider takes twenty seconds. */
export const slow = () => stage({ knobs: { latency: { constant: { ms: 20000 } } } });

/** Begins a call, aborts it when it is at the provider, and waits until it has ended there too. */
export async function leave(stats, call) {
  const controller = new AbortController();
  const begun = call(controller.signal);
  begun.catch(() => {});
  await until(async () => (await stats()).in_flight > 0, "no call arrives at the provider");
  controller.abort();
  await until(async () => (await stats()).in_flight === 0, "the upstream call goes on");
  return begun;
}

export async function until(condition, otherwise) {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (await condition()) return;
    await sleep(20);
  }
  assert.fail(otherwise);
}

/** A refusal that says whose limit it is, and when to come back: within the minute of `limited`. */
export function assertToldWhen(header) {
  assert.equal(header("x-hone-limit-source"), "hone");
  const seconds = Number(header("retry-after"));
  assert.ok(seconds > 0 && seconds <= 60, `retry-after: ${seconds}`);
}
