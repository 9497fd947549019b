// `@ai-sdk/google`.

import { createGoogleGenerativeAI } from "@ai-sdk/google";

import { aiSdk } from "./ai-sdk.js";

export { isCut, isFailure, refusals, status } from "./ai-sdk.js";
export const dialect = "gemini";

export function client({ address, model, key }) {
  const google = { thinkingConfig: { includeThoughts: true } };
  return aiSdk(createGoogleGenerativeAI({ baseURL: `${address}/v1beta`, apiKey: key })(model), { google });
}
