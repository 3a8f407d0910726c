// Uses OpenAI's own client as any program would: it is told where to go by
// OPENAI_BASE_URL and OPENAI_API_KEY alone; and Anthropic's, told the same. Prints what it saw as one JSON value.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { toFile } from "openai";

const client = new OpenAI();
const messages = [{ role: "user", content: "What is AITBC?" }];
const seen = {};

seen.models = (await client.models.list()).data.map((m) => m.id);
const model = seen.models[0];
const ask = { model, messages, temperature: 0, max_tokens: 24 };

const { data, response } = await client.chat.completions.create(ask).withResponse();
seen.whole = {
  object: data.object,
  text: data.choices[0].message.content,
  finish: data.choices[0].finish_reason,
  usage: data.usage,
  receipt: response.headers.get("x-aitbc-receipt"),
  job: response.headers.get("x-aitbc-job"),
};

seen.stream = { text: "", chunks: 0 };
const stream = await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  seen.stream.chunks++;
  seen.stream.text += chunk.choices[0]?.delta?.content ?? "";
  seen.stream.finish ??= chunk.choices[0]?.finish_reason;
  seen.stream.usage = chunk.usage ?? seen.stream.usage;
}

const legacy = await client.completions.create({ model, prompt: "AITBC is", max_tokens: 8 });
seen.legacy = legacy.choices[0].text;

const likely = await client.chat.completions.create({ ...ask, max_tokens: 3, logprobs: true, top_logprobs: 2 });
seen.logprobs = likely.choices[0].logprobs.content.map((t) => [t.token, t.logprob, t.top_logprobs.length]);

const formed = await client.chat.completions.create({ ...ask, temperature: 1, grammar: 'root ::= "yes" | "no"' });
seen.grammar = { text: formed.choices[0].message.content, finish: formed.choices[0].finish_reason };
try {
  await client.chat.completions.create({ ...ask, grammar: "root ::= yes" });
} catch (err) {
  seen.grammar.wrong = `${err.status} ${err.message}`;
}

const texts = ["A receipt proves what ran.", "Miners earn coins."];
const embedded = await client.embeddings.create({ model, input: texts });
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const [a, b] = embedded.data.map((d) => d.embedding);
seen.embeddings = { size: a.length, own: dot(a, a), other: dot(a, b), usage: embedded.usage };

const lines = [0, 1, 2].map((n) => ({
  custom_id: `line-${n}`, method: "POST", url: "/v1/chat/completions", body: { ...ask, max_tokens: 8 },
}));
lines.push({ ...lines[0], custom_id: "bad", body: { ...ask, n: 2 } });
const input = await client.files.create({ purpose: "batch", file: await toFile(Buffer.from(lines.map((l) => JSON.stringify(l)).join("\n")), "in.jsonl") });
let batch = await client.batches.create({ input_file_id: input.id, endpoint: "/v1/chat/completions", completion_window: "24h" });
while (["validating", "in_progress", "finalizing"].includes(batch.status)) {
  await new Promise((resume) => setTimeout(resume, 100));
  batch = await client.batches.retrieve(batch.id);
}
const read = async (id) => (await (await client.files.content(id)).text()).trim().split("\n").map((l) => JSON.parse(l));
const output = await read(batch.output_file_id);
seen.batch = {
  status: batch.status, counts: batch.request_counts, ids: output.map((l) => l.custom_id).sort(), texts: output.map((l) => l.response.body.choices[0].message.content),
  errors: (await read(batch.error_file_id)).map((l) => [l.custom_id, l.response.status_code]),
  listed: (await client.batches.list()).data.map((b) => b.id).includes(batch.id), files: 0, deleted: (await client.files.delete(input.id)).deleted,
};
for await (const f of client.files.list()) seen.batch.files += f.object === "file" ? 1 : 0;

const other = new Anthropic({ apiKey: process.env.OPENAI_API_KEY, baseURL: process.env.OPENAI_BASE_URL.replace(/\/v1$/, "") });
const letter = { model, max_tokens: 24, temperature: 0, messages };
const message = await other.messages.create(letter);
seen.message = { text: message.content[0].text, reason: message.stop_reason, usage: message.usage };
const events = other.messages.stream(letter);
seen.message.streamed = await events.finalText();
try {
  await other.messages.create({ ...letter, model: "llama3.2" });
} catch (err) {
  seen.message.missing = { kind: err.constructor.name, status: err.status };
}

try {
  await client.chat.completions.create({ model: "llama3.2", messages });
} catch (err) {
  seen.missing = { kind: err.constructor.name, status: err.status, code: err.code, message: err.message };
}
try {
  await new OpenAI({ apiKey: "not-a-key", maxRetries: 0 }).chat.completions.create(ask);
} catch (err) {
  seen.unauthorized = { kind: err.constructor.name, status: err.status };
}
console.log(JSON.stringify(seen));
