// The same question from several languages. Names and keys are quoted as each language wants it.

export const languages = { curl: 'curl', python: 'Python', typescript: 'TypeScript', go: 'Go' } as const
export type Language = keyof typeof languages

const json = (text: string) => JSON.stringify(text)
// Within single quotes a shell changes nothing; a quote itself ends them and begins them again.
const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
// The escapes of JSON are Python's and Go's, too; but Go has no \/ and no lone surrogates.
const quoted = json

/** A program that asks a model something. An empty key is read from the environment. */
export function snippet(language: Language, o: { url: string; model: string; key: string }): string {
  const question = 'What is AITBC?'
  const base = `${o.url}/v1`
  switch (language) {
    case 'curl': {
      const key = o.key === '' ? '"Authorization: Bearer $AITBC_API_KEY"' : shell(`Authorization: Bearer ${o.key}`)
      const body = JSON.stringify({ model: o.model, messages: [{ role: 'user', content: question }], stream: true })
      return `curl -N ${shell(`${base}/chat/completions`)} \\\n  -H ${key} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(body)}\n`
    }
    case 'python':
      return `# pip install openai
import os
from openai import OpenAI

client = OpenAI(base_url=${quoted(base)}, api_key=${o.key === '' ? 'os.environ["AITBC_API_KEY"]' : quoted(o.key)})
stream = client.chat.completions.create(
    model=${quoted(o.model)},
    messages=[{"role": "user", "content": ${quoted(question)}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
`
    case 'typescript':
      return `// npm install openai
import OpenAI from 'openai'

const client = new OpenAI({ baseURL: ${json(base)}, apiKey: ${o.key === '' ? 'process.env.AITBC_API_KEY' : json(o.key)} })
const stream = await client.chat.completions.create({
  model: ${json(o.model)},
  messages: [{ role: 'user', content: ${json(question)} }],
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '')
`
    case 'go':
      return `package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"${o.key === '' ? '\n\t"os"' : ''}
)

func main() {
	body, err := json.Marshal(map[string]any{
		"model":    ${quoted(o.model)},
		"messages": []map[string]string{{"role": "user", "content": ${quoted(question)}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, ${quoted(`${base}/chat/completions`)}, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+${o.key === '' ? 'os.Getenv("AITBC_API_KEY")' : quoted(o.key)})
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer))
}
`
  }
}
