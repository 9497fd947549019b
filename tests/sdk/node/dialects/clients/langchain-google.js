// `@langchain/google`, which asks without Google's SDK.

import { ChatGoogle } from "@langchain/google";

import { langchain } from "./langchain.js";

export const dialect = "gemini";
export const refusals = { 400: Error, 401: Error, 429: Error, 503: Error };
export const isFailure = (error) => error instanceof Error;
/** It takes a stream's error for the end of the answer. */
export const isDeaf = true;
export const isCut = isFailure;
export const status = (error) => error.statusCode ?? error.status ?? error.response?.status;

export function client({ address, model, key }) {
  const make = (more) => new ChatGoogle({ model, endpoint: address, apiKey: key, platformType: "gai", maxRetries: 0, ...more });
  return langchain(make, { includeThoughts: true, thinkingBudget: -1 }, { method: "jsonSchema" });
}
