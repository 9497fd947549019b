// What all chat models of LangChain do alike.

import assert from "node:assert/strict";

import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";

import { city, collect, question, questionOfWeather, said, weather } from "./common.js";

/** A client of the models that `make` makes; `thinking` and `schema` are how they are told to. */
export function langchain(make, thinking, schema) {
  const invoke = async (model, streamed, input) => {
    if (!streamed) return model.invoke(input);
    const chunks = await collect(await model.stream(input));
    return chunks.reduce((whole, chunk) => whole.concat(chunk));
  };
  return {
    plain: async () => answer(await invoke(make(), false, question)),
    stream: async () => answer(await invoke(make(), true, question)),

    async tools(town, streamed) {
      const weather = tool((input) => town.weather(input), {
        name: "weather",
        description: "The weather of a city.",
        schema: city,
      });
      const model = make(thinking).bindTools([weather]);
      const messages = [];
      let last;
      for (let round = 0; round < 2; round += 1) {
        messages.push(new HumanMessage(questionOfWeather));
        for (;;) {
          last = await invoke(model, streamed, messages);
          messages.push(last);
          if (!last.tool_calls.length) break;
          for (const { id, name, args } of last.tool_calls) {
            messages.push(new ToolMessage({ tool_call_id: id, name, content: await weather.invoke(args) }));
          }
        }
      }
      return answer(last);
    },

    async thoughts(streamed) {
      const message = await invoke(make(thinking), streamed, question);
      assert.ok(message.text);
      // A model that has no translator for its blocks shows them as they came.
      const blocks = [...message.contentBlocks, ...(Array.isArray(message.content) ? message.content : [])];
      return blocks.map((block) => block.reasoning ?? block.thinking ?? "").join("");
    },

    schema: () => make().withStructuredOutput(weather, schema).invoke(questionOfWeather),
  };
}

const answer = (message) => said(message.text, message.usage_metadata.input_tokens, message.usage_metadata.output_tokens);
