// `@openai/agents` with its default model, which speaks Responses.

import assert from "node:assert/strict";

import { Agent, AgentsError, OpenAIResponsesModel, run, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";

import { city, question, questionOfWeather, said, weather } from "./common.js";

export { dialect, refusals, status } from "./openai-responses.js";
export const isFailure = (error) => error instanceof OpenAI.OpenAIError || error instanceof AgentsError || /fail/i.test(error.message);
export const isCut = (error) => isFailure(error) || error instanceof TypeError;

setTracingDisabled(true);
const modelSettings = { reasoning: { effort: "low", summary: "auto" } };

export function client({ address, model, key }) {
  const openai = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 });
  const ask = async (streamed, input, more = {}) => {
    const agent = new Agent({ name: "Helper", model: new OpenAIResponsesModel(openai, model), ...more });
    if (!streamed) return run(agent, input);
    const result = await run(agent, input, { stream: true });
    let text = "";
    for await (const piece of result.toTextStream()) text += piece;
    await result.completed;
    assert.equal(text, result.finalOutput);
    return result;
  };
  return {
    plain: async () => answer(await ask(false, question)),
    stream: async () => answer(await ask(true, question)),

    async tools(town, streamed) {
      const execute = (input) => town.weather(input);
      const tools = [tool({ name: "weather", description: "The weather of a city.", parameters: city, execute })];
      const first = await ask(streamed, questionOfWeather, { tools, modelSettings });
      return answer(await ask(streamed, [...first.history, { role: "user", content: questionOfWeather }], { tools, modelSettings }));
    },

    async thoughts(streamed) {
      const result = await ask(streamed, question, { modelSettings });
      const items = result.newItems.filter((item) => item.type === "reasoning_item");
      return items.flatMap((item) => item.rawItem.content.map((part) => part.text)).join("");
    },

    schema: async () => (await ask(false, questionOfWeather, { outputType: weather })).finalOutput,
  };
}

function answer(result) {
  const { inputTokens, outputTokens } = result.runContext.usage;
  return said(result.finalOutput, inputTokens, outputTokens);
}
