// Answers that hone gives before it has read the request's body: `fetch` loses none. HONE_EARLY_ANSWERS says how many of each kind.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { start } from "./processes.js";

const rounds = Number(process.env.HONE_EARLY_ANSWERS ?? 50);
const key = { authorization: "Bearer any-shape-of-key", "content-type": "application/json" };
const chat = "/v1/chat/completions";
const refusals = [
  [401, chat, { ...key, authorization: `Bearer hone-${"0".repeat(64)}` }],
  [415, chat, { ...key, "content-type": "text/plain" }],
  [400, chat, { ...key, "x-hone-detail": "all" }],
  [404, "/nothing", key],
  [405, "/livez", key],
];

const configuration = (upstream, bounds) => `
listen = "127.0.0.1:0"

[bounds]
${bounds}
body_bytes = 1_000_000
connections_per_minute = 1_000_000
rejected_keys_per_minute = 1_000_000

[[upstream]]
name = "sim"
base_url = "${upstream}"
`;

let sim;
let hone;
let full;

async function serve(bounds) {
  const config = path.join(await mkdtemp(path.join(tmpdir(), "hone-early-")), "hone.toml");
  await writeFile(config, configuration(`http://${sim.address}/v1`, bounds));
  return start("serve", "--config", config);
}

before(async () => {
  sim = await start("sim", "--listen", "127.0.0.1:0");
  [hone, full] = await Promise.all([serve(""), serve("connections_per_address = 1")]);
});

after(() => {
  for (const program of [hone, full, sim]) {
    program?.child.kill();
  }
});

async function* late(body) {
  await sleep(50);
  yield body.subarray(0, body.length / 2);
  await sleep(50);
  yield body.subarray(body.length / 2);
}

const sizes = [10, 200_000, 2_000_000];
const cases = refusals.flatMap((refusal) => sizes.map((size) => [...refusal, size]));

for (const [status, path, headers, size] of [...cases, [413, chat, key, 2_000_000]]) {
  const body = Buffer.alloc(size, "x");
  test(`${status} at ${path}, ${size} bytes`, async () => {
    for (let round = 0; round < rounds; round += 1) {
      const answer = await fetch(`http://${hone.address}${path}`, { method: "POST", headers, body });
      assert.equal(answer.status, status);
      await answer.text();
    }
  });
  test(`${status} at ${path}, ${size} bytes late`, async () => {
    for (let round = 0; round < rounds / 10; round += 1) {
      const answer = await fetch(`http://${hone.address}${path}`, { method: "POST", headers, body: late(body), duplex: "half" });
      assert.equal(answer.status, status);
      await answer.text();
    }
  });
}

test("a connection that is refused says so", async () => {
  const held = connect(Number(full.address.split(":")[1]), "127.0.0.1");
  for (const size of sizes) {
    const body = Buffer.alloc(size, "x");
    for (let round = 0; round < rounds; round += 1) {
      // It stays open as long as it is used.
      held.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
      await once(held, "data");
      const answer = await fetch(`http://${full.address}${chat}`, { method: "POST", headers: key, body });
      assert.deepEqual([answer.status, answer.headers.get("x-hone-error")], [503, "too_many_connections"]);
      await answer.text();
    }
  }
  held.destroy();
});
