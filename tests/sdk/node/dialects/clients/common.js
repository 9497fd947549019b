// What the clients are asked, and what they answer.

import assert from "node:assert/strict";

import { z } from "zod";

export const question = "What is 2 + 3?";
export const questionOfWeather = "How is the weather in Rome?";
export const weather = z.object({ city: z.string(), degrees: z.number() });
export const city = z.object({ city: z.string() });
export const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

/** A tool, and what it was asked. */
export class Town {
  asked = [];

  weather({ city }) {
    this.asked.push(city);
    return `Sunny in ${city}.`;
  }
}

/** An answer, as its client shows it. */
export function said(text, prompt, completion) {
  assert.equal(typeof text, "string");
  return { text, prompt, completion };
}

/** All that a stream gives. */
export async function collect(stream) {
  const all = [];
  for await (const one of stream) all.push(one);
  return all;
}
