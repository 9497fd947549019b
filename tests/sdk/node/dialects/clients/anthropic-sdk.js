// `@anthropic-ai/sdk`: `messages.create`, and `messages.stream`, which checks every event.

import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";

import { collect, parameters, question, questionOfWeather, said, weather } from "./common.js";

export const dialect = "anthropic";
export const refusals = {
  400: Anthropic.BadRequestError,
  401: Anthropic.AuthenticationError,
  429: Anthropic.RateLimitError,
  529: Anthropic.InternalServerError,
};
export const isFailure = (error) => error instanceof Anthropic.AnthropicError;
export const isCut = (error) => isFailure(error) || error instanceof TypeError;
export const status = (error) => error.status;

const thinking = { type: "adaptive", display: "summarized" };
const tools = [{ name: "weather", description: "The weather of a city.", input_schema: parameters }];
const user = (content) => ({ role: "user", content });

export function client({ address, model, key }) {
  const anthropic = new Anthropic({ baseURL: address, apiKey: key, maxRetries: 0 });
  const { messages } = anthropic;
  const ask = (streamed, more) => {
    const asks = { model, max_tokens: 4096, ...more };
    return streamed ? messages.stream(asks).finalMessage() : messages.create(asks);
  };
  return {
    plain: async () => answer(await ask(false, { messages: [user(question)] })),

    async stream() {
      const stream = messages.stream({ model, max_tokens: 4096, messages: [user(question)] });
      let text = "";
      stream.on("text", (piece) => (text += piece));
      const whole = await stream.finalMessage();
      assert.deepEqual([text, whole.stop_reason], [answer(whole).text, "end_turn"]);
      return answer(whole);
    },

    ask,

    /** Two rounds, the second at another door if there is one. */
    async tools(town, streamed, then = this) {
      const history = [];
      let last;
      for (const client of [this, then]) {
        history.push(user(questionOfWeather));
        for (;;) {
          last = await client.ask(streamed, { messages: history, tools, thinking });
          history.push({ role: "assistant", content: last.content });
          const calls = last.content.filter((block) => block.type === "tool_use");
          if (!calls.length) break;
          assert.equal(last.stop_reason, "tool_use");
          const result = (call) => ({ type: "tool_result", tool_use_id: call.id, content: town.weather(call.input) });
          history.push(user(calls.map(result)));
        }
      }
      return answer(last);
    },

    async thoughts(streamed) {
      const whole = await ask(streamed, { messages: [user(question)], thinking });
      assert.ok(answer(whole).text);
      return texts(whole, "thinking");
    },

    async schema() {
      const format = zodOutputFormat(weather);
      const asks = { model, max_tokens: 4096, messages: [user(questionOfWeather)], output_config: { format } };
      return (await messages.parse(asks)).parsed_output;
    },

    count: async () => (await messages.countTokens({ model, messages: [user(question)] })).input_tokens,
    models: async () => (await collect(await anthropic.models.list())).map(({ id }) => id),
  };
}

const texts = (message, type) => message.content.map((block) => (block.type === type ? block[type] : "")).join("");
const answer = (message) => said(texts(message, "text"), message.usage.input_tokens, message.usage.output_tokens);
