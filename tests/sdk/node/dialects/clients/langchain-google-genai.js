// `@langchain/google-genai`, on Google's earlier SDK, which reads nothing but `data:` lines of a stream.

import { ChatGoogleGenerativeAI } from "@langchain/google-genai";

import { langchain } from "./langchain.js";

export { dialect, isCut, isDeaf, isFailure, refusals, status } from "./langchain-google.js";
/**
 * It rejects a second promise, too, which nobody can catch, and it mixes the signatures of several calls up.
 */
export const cannot = ["parallel", "breaks off"];

export function client({ address, model, key }) {
  const make = (more) => new ChatGoogleGenerativeAI({ model, baseUrl: address, apiKey: key, maxRetries: 0, ...more });
  return langchain(make, { thinkingConfig: { includeThoughts: true } }, { method: "jsonSchema" });
}
