// `@langchain/anthropic`.

import { ChatAnthropic } from "@langchain/anthropic";

import { langchain } from "./langchain.js";

// It has a copy of Anthropic's SDK of its own, whose classes cannot be had.
export const refusals = { 400: Error, 401: Error, 429: Error, 529: Error };
export const isFailure = (error) => error.type === "api_error" || /"type":"error"/.test(error.message);
export const isCut = (error) => isFailure(error) || error instanceof TypeError;
export const status = (error) => error.status;
export const dialect = "anthropic";

export function client({ address, model, key }) {
  const make = (more) => new ChatAnthropic({ model, anthropicApiUrl: address, apiKey: key, maxRetries: 0, maxTokens: 4096, ...more });
  return langchain(make, { thinking: { type: "adaptive", display: "summarized" } }, { method: "jsonSchema" });
}
