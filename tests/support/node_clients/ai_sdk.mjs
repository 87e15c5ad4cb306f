// Vercel's AI SDK with the defaults of `openai()`, which uses /v1/responses: two turns, a stream, tools, embeddings.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const model = openai(process.env.MODEL);

for (const each of [model, openai("rag")]) {
  const question = { role: "user", content: "Where does the axolotl live?" };
  const first = await generateText({ model: each, messages: [question] });
  assert.ok(first.text);
  const messages = [question, ...first.response.messages, { role: "user", content: "And what does it eat?" }];
  const second = await generateText({ model: each, messages });
  assert.ok(second.text);
}

let text = "";
const stream = streamText({ model, prompt: "Hello", onError: ({ error }) => { throw error; } });
for await (const part of stream.textStream) text += part;
assert.match(text, /axolotl/);
assert.equal(await stream.finishReason, "stop");

const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => `sunny in ${city}` });
const called = await generateText({ model, prompt: "The weather?", tools: { weather }, stopWhen: stepCountIs(3) });
assert.equal(called.steps[0].toolCalls[0].toolName, "weather");
assert.match(called.text, /sunny in text/);

const { embeddings } = await embedMany({ model: openai.embedding("all-MiniLM-L6-v2"), values: ["one", "two"] });
assert.deepEqual(embeddings.map((vector) => vector.length), [384, 384]);
console.log("passed");
