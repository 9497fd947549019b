// Vercel's AI SDK, unmodified, against hone: `@ai-sdk/openai` by `.chat()`, and `@ai-sdk/openai-compatible`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

import { assertToldWhen, leave, limited, models, picked, plain, question, slow, stage } from "./stage.js";

const { url } = await stage();
const few = await limited();
const waiting = await slow();

const key = "any-shape-of-key";
const providers = {
  "openai.chat": (baseURL, apiKey = key) => createOpenAI({ baseURL, apiKey }).chat,
  "openai-compatible": (baseURL, apiKey = key) =>
    createOpenAICompatible({ name: "hone", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true }),
};
const weather = z.object({ city: z.string(), degrees: z.number() });

for (const [name, provider] of Object.entries(providers)) {
  for (const model of models) {
    test(`${name}, ${model}: text`, async () => {
      const answer = await generateText({ model: provider(url)(model), prompt: question });
      assert.ok(answer.text);
      assert.ok(answer.usage.totalTokens > 0);
    });

    test(`${name}, ${model}: a stream`, async () => {
      const stream = streamText({ model: provider(url)(model), prompt: question });
      let text = "";
      for await (const part of stream.textStream) text += part;
      assert.ok(text);
      assert.ok((await stream.usage).totalTokens > 0);
      assert.equal(await stream.finishReason, "stop");
    });

    for (const streamed of [false, true]) {
      test(`${name}, ${model}: a tool is called and its result read${streamed ? ", streamed" : ""}`, async () => {
        const asked = [];
        const tools = {
          weather: tool({
            description: "The weather of a city.",
            inputSchema: z.object({ city: z.string() }),
            execute: async ({ city }) => asked.push(city) && "Sunny.",
          }),
        };
        const settings = { model: provider(url)(model), prompt: "How is the weather in Rome?", tools, stopWhen: isStepCount(3) };
        const answer = streamed ? streamText(settings) : await generateText(settings);
        assert.ok(await answer.text);
        assert.deepEqual(asked, ["simulated"]);
      });
    }

    test(`${name}, ${model}: an object of a schema`, async () => {
      const output = Output.object({ schema: weather });
      const answer = await generateText({ model: provider(url)(model), prompt: "How is the weather in Rome?", output });
      assert.deepEqual(answer.output, { city: "simulated", degrees: 1 });
    });
  }

  for (const model of [plain, picked]) {
    test(`${name}, ${model}: a limit is its own error and says when`, async () => {
      const mine = provider(few.url, `key-${name}-${model}`)(model);
      assert.ok((await generateText({ model: mine, prompt: question })).text);
      await assert.rejects(generateText({ model: mine, prompt: question, maxRetries: 0 }), (error) => {
        assert.ok(APICallError.isInstance(error));
        assert.deepEqual([error.statusCode, error.isRetryable], [429, true]);
        assertToldWhen((field) => error.responseHeaders[field]);
        return true;
      });
    });

    test(`${name}, ${model}: an aborted call cancels the upstream call`, async () => {
      const call = (abortSignal) => generateText({ model: provider(waiting.url)(model), prompt: question, abortSignal });
      await assert.rejects(leave(waiting.stats, call), { name: "AbortError" });
    });
  }
}

test("the default model works, plainly and with an approach", async () => {
  const openai = createOpenAI({ baseURL: url, apiKey: key });
  for (const model of [plain, picked]) {
    assert.ok((await generateText({ model: openai(model), prompt: question })).text, model);
  }
});
