// `openai`: `responses.create`, and `responses.stream`, which builds its answer from every event.

import assert from "node:assert/strict";

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";

import { collect, parameters, question, questionOfWeather, said, weather } from "./common.js";

export const dialect = "openai-responses";
export const refusals = {
  400: OpenAI.BadRequestError,
  401: OpenAI.AuthenticationError,
  429: OpenAI.RateLimitError,
  503: OpenAI.InternalServerError,
};
// A stream that ends in any other way than with `response.completed` has no final response.
export const isFailure = (error) => error instanceof OpenAI.OpenAIError || error instanceof Failed;
export const isCut = (error) => isFailure(error) || error instanceof TypeError;
export const status = (error) => error.status;

/** How this client tells a failure inside of a stream: by the response's status. */
class Failed extends Error {}

const reasoning = { effort: "low", summary: "auto" };
// Nothing is kept at the provider, and what was thought comes back with the conversation.
const alone = { store: false, include: ["reasoning.encrypted_content"] };
const tools = [{ type: "function", name: "weather", description: "The weather of a city.", parameters, strict: true }];

export function client({ address, model, key }) {
  const openai = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 });
  const { responses } = openai;
  const ask = async (streamed, more) => {
    const asks = { model, ...alone, ...more };
    const response = await (streamed ? responses.stream(asks).finalResponse() : responses.create(asks));
    if (response.status !== "completed") throw new Failed(response.status);
    return response;
  };
  return {
    plain: async () => answer(await ask(false, { input: question })),

    async stream() {
      const stream = responses.stream({ model, input: question, store: false });
      let text = "";
      stream.on("response.output_text.delta", ({ delta }) => (text += delta));
      const response = await stream.finalResponse();
      if (response.status !== "completed") throw new Failed(response.status);
      assert.equal(text, response.output_text);
      return answer(response);
    },

    ask,

    /** Two rounds, the second at another door if there is one. */
    async tools(town, streamed, then = this) {
      const items = [];
      let last;
      for (const client of [this, then]) {
        items.push({ role: "user", content: questionOfWeather });
        for (;;) {
          last = await client.ask(streamed, { input: items, tools, reasoning });
          items.push(...last.output.map(plainly));
          const calls = last.output.filter((item) => item.type === "function_call");
          if (!calls.length) break;
          for (const { call_id, arguments: text } of calls) {
            items.push({ type: "function_call_output", call_id, output: town.weather(JSON.parse(text)) });
          }
        }
      }
      return answer(last);
    },

    async thoughts(streamed) {
      const response = await ask(streamed, { input: question, reasoning });
      assert.ok(response.output_text);
      const items = response.output.filter((item) => item.type === "reasoning");
      return items.flatMap((item) => item.summary.map((part) => part.text)).join("");
    },

    async schema() {
      const text = { format: zodTextFormat(weather, "weather") };
      return (await responses.parse({ model, input: questionOfWeather, text, store: false })).output_parsed;
    },

    count: async () => (await responses.inputTokens.count({ model, input: question })).input_tokens,
    models: async () => (await collect(await openai.models.list())).map(({ id }) => id),
  };
}

/** An item without what the helpers have added to it. */
function plainly({ parsed_arguments, ...item }) {
  if (item.type !== "message") return item;
  return { ...item, content: item.content.map(({ parsed, ...part }) => part) };
}

const answer = ({ output_text, usage }) => said(output_text, usage.input_tokens, usage.output_tokens);
