// The examples of docs/clients.md.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { picked, stage } from "./stage.js";

const page = await readFile(new URL("../../../docs/clients.md", import.meta.url), "utf8");
const examples = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);
const { url } = await stage();

test("there are examples", () => assert.equal(examples.length, 3));

for (const [number, example] of examples.entries()) {
  test(`the example that begins with ${example.split("\n", 1)}`, async (t) => {
    const file = new URL(`./.example-${number}.mjs`, import.meta.url);
    await writeFile(file, example.replaceAll("http://127.0.0.1:8000/v1", url).replaceAll("bon-gpt-4o", picked));
    t.after(() => rm(file));
    const log = t.mock.method(console, "log", () => {});
    await import(file);
    assert.ok(log.mock.calls[0].arguments[0]);
  });
}
