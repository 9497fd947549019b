// `@ai-sdk/openai` with its default model, which speaks Responses.

import { createOpenAI } from "@ai-sdk/openai";

import { aiSdk } from "./ai-sdk.js";

export { isCut, isFailure, refusals, status } from "./ai-sdk.js";
export const dialect = "openai-responses";

export function client({ address, model, key }) {
  const openai = { forceReasoning: true, reasoningEffort: "low", reasoningSummary: "auto", store: false };
  return aiSdk(createOpenAI({ baseURL: `${address}/v1`, apiKey: key })(model), { openai });
}
