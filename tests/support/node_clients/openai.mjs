// OpenAI's package for Node with its default settings: chat, a stream, tools, responses that continue each other, embeddings.
import assert from "node:assert/strict";
import OpenAI from "openai";

const model = process.env.MODEL;
const client = new OpenAI({ maxRetries: 0 });
const question = { role: "user", content: "What is the weather in Paris?" };
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

const answer = await client.chat.completions.create({ model: "rag", messages: [question] });
const again = await client.chat.completions.create({
  model: "rag",
  messages: [question, answer.choices[0].message, question],
});
assert.ok(again.choices[0].message.content);

const stream = client.chat.completions.stream({ model, messages: [question] });
assert.match((await stream.finalMessage()).content, /axolotl/);

const searching = client.chat.completions.stream({ model: "rag", messages: [{ role: "user", content: "Where does the axolotl live?" }] });
const { rag } = await searching.finalMessage();
assert.equal(rag.sources_repeated[0].filename, "axolotl.md");

const weather = { name: "weather", parameters, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` };
const runner = client.chat.completions.runTools({ model, messages: [question], tools: [{ type: "function", function: weather }] });
assert.match(await runner.finalContent(), /sunny in text/);

const first = await client.responses.create({ model, input: "Hello" });
const second = await client.responses.create({ model, input: "And now?", previous_response_id: first.id });
assert.equal(second.previous_response_id, first.id);
assert.match(second.output_text, /axolotl/);

const vectors = await client.embeddings.create({ model: "all-MiniLM-L6-v2", input: ["one", "two"] });
assert.deepEqual(vectors.data.map(({ embedding }) => embedding.length), [384, 384]);
console.log("passed");
