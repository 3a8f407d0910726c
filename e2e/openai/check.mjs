// Uses OpenAI's own client as any program would: it is told where to go by
// OPENAI_BASE_URL and OPENAI_API_KEY alone. Prints what it saw as one JSON value.
import OpenAI from "openai";

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
