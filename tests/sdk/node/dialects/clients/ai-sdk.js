// What the AI SDK does with any provider.

import assert from "node:assert/strict";

import { APICallError, AISDKError, generateText, isStepCount, Output, streamText, tool } from "ai";

import { city, question, questionOfWeather, said, weather } from "./common.js";

export const refusals = { 400: APICallError, 401: APICallError, 429: APICallError, 503: APICallError, 529: APICallError };
export const isFailure = (error) => error instanceof Error || error?.type !== undefined || error?.code !== undefined;
export const isCut = (error) => isFailure(error) || AISDKError.isInstance(error);
export const status = (error) => error.statusCode;

/** A client of a model, whose provider is told by `providerOptions` to show what it thinks. */
export function aiSdk(model, providerOptions) {
  const ask = async (streamed, more) => {
    const asks = { model, maxRetries: 0, ...more };
    if (!streamed) return generateText(asks);
    const failures = [];
    const stream = streamText({ ...asks, onError: ({ error }) => failures.push(error) });
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    // The stream of texts just ends; its other results tell why.
    if (failures.length) throw failures[0];
    const [usage, finishReason] = [await stream.usage, await stream.finishReason];
    return { text, usage, finishReason, reasoningText: await stream.reasoningText, response: await stream.response };
  };
  return {
    plain: async () => answer(await ask(false, { prompt: question })),

    async stream() {
      const result = await ask(true, { prompt: question });
      assert.equal(result.finishReason, "stop");
      return answer(result);
    },

    async tools(town, streamed) {
      const tools = {
        weather: tool({ description: "The weather of a city.", inputSchema: city, execute: (input) => town.weather(input) }),
      };
      const messages = [];
      let result;
      for (let round = 0; round < 2; round += 1) {
        messages.push({ role: "user", content: questionOfWeather });
        result = await ask(streamed, { messages, tools, providerOptions, stopWhen: isStepCount(3) });
        messages.push(...result.response.messages);
      }
      return answer(result);
    },

    async thoughts(streamed) {
      const result = await ask(streamed, { prompt: question, providerOptions });
      assert.ok(result.text);
      return result.reasoningText;
    },

    async schema() {
      return (await ask(false, { prompt: questionOfWeather, output: Output.object({ schema: weather }) })).output;
    },
  };
}

const answer = ({ text, usage }) => said(text, usage.inputTokens, usage.outputTokens);
