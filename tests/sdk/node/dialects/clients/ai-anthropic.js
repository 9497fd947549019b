// `@ai-sdk/anthropic`.

import { createAnthropic } from "@ai-sdk/anthropic";

import { aiSdk } from "./ai-sdk.js";

export { isCut, isFailure, refusals, status } from "./ai-sdk.js";
export const dialect = "anthropic";

export function client({ address, model, key }) {
  const anthropic = { thinking: { type: "adaptive", display: "summarized" } };
  return aiSdk(createAnthropic({ baseURL: `${address}/v1`, apiKey: key })(model), { anthropic });
}
