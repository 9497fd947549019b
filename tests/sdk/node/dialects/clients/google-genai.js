// `@google/genai`: `generateContent`, and chat sessions, which drop a turn that they take for no proper answer.

import assert from "node:assert/strict";

import { ApiError, GoogleGenAI } from "@google/genai";
import { z } from "zod";

import { collect, parameters, question, questionOfWeather, said, weather } from "./common.js";

export const dialect = "gemini";
export const refusals = { 400: ApiError, 401: ApiError, 429: ApiError, 503: ApiError };
export const isFailure = (error) => error instanceof ApiError || /"error"|"code"/.test(error.message);
export const isCut = (error) => isFailure(error) || error instanceof TypeError || /incomplete|terminated/i.test(error.message);
export const status = (error) => error.status;

const thinkingConfig = { includeThoughts: true };
const declaration = { name: "weather", description: "The weather of a city.", parametersJsonSchema: parameters };
const tools = [{ functionDeclarations: [declaration] }];

export function client({ address, model, key }) {
  const google = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: address } });
  const generate = async (streamed, contents, config = {}) => {
    const asks = { model, contents, config };
    if (streamed) return collect(await google.models.generateContentStream(asks));
    return [await google.models.generateContent(asks)];
  };
  return {
    plain: async () => answer(await generate(false, question)),

    async stream() {
      const chunks = await generate(true, question);
      assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
      return answer(chunks);
    },

    chat: (history) => google.chats.create({ model, history, config: { tools, thinkingConfig } }),

    /** Two rounds, the second at another door if there is one. */
    async tools(town, streamed, then = this) {
      let [chat, chunks] = [];
      const send = async (message) =>
        streamed ? collect(await chat.sendMessageStream({ message })) : [await chat.sendMessage({ message })];
      for (const client of [this, then]) {
        chat = client.chat(chat?.getHistory() ?? []);
        chunks = await send(questionOfWeather);
        for (let calls; (calls = chunks.flatMap((chunk) => chunk.functionCalls ?? [])).length; ) {
          const respond = ({ id, name, args }) => ({ functionResponse: { id, name, response: { output: town.weather(args) } } });
          chunks = await send(calls.map(respond));
        }
      }
      assert.deepEqual(chat.getHistory(true), chat.getHistory());
      return answer(chunks);
    },

    async thoughts(streamed) {
      const chunks = await generate(streamed, question, { thinkingConfig });
      assert.ok(answer(chunks).text);
      return texts(chunks, true);
    },

    async schema() {
      const config = { responseMimeType: "application/json", responseJsonSchema: z.toJSONSchema(weather) };
      return weather.parse(JSON.parse(answer(await generate(false, questionOfWeather, config)).text));
    },

    count: async () => (await google.models.countTokens({ model, contents: question })).totalTokens,
    models: async () => (await collect(await google.models.list())).map(({ name }) => name.replace("models/", "")),
  };
}

function texts(chunks, thought) {
  const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
  return parts.map((part) => (Boolean(part.thought) === thought ? (part.text ?? "") : "")).join("");
}

function answer(chunks) {
  const usage = chunks.at(-1).usageMetadata;
  return said(texts(chunks, false), usage.promptTokenCount, (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0));
}
