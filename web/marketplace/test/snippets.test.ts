import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { languages, snippet, type Language } from '../src/keys/snippets.js'

const nasty = `it's "a" model $(touch /tmp/x) \`id\` \\ <b>`

it('a name with quotes stays a name', () => {
  for (const language of Object.keys(languages) as Language[]) {
    const text = snippet(language, { url: 'http://127.0.0.1:18000', model: nasty, key: 'aitbc_key' })
    expect(text).toContain('http://127.0.0.1:18000/v1')
    expect(text).toContain('aitbc_key')
    expect(text).not.toContain('undefined')
  }
})

it('the shell hands curl what was meant', () => {
  const text = snippet('curl', { url: 'http://127.0.0.1:18000', model: nasty, key: '' }).replace('curl -N', 'printf %s\\\\n')
  const out = execFileSync('sh', ['-c', text], { env: { AITBC_API_KEY: 'k e y' } }).toString().trim().split('\n')
  expect(out[0]).toBe('http://127.0.0.1:18000/v1/chat/completions')
  expect(out).toContain('Authorization: Bearer k e y')
  expect((JSON.parse(out.at(-1)!) as { model: string }).model).toBe(nasty)
})

it('without a key each reads the environment', () => {
  for (const language of Object.keys(languages) as Language[]) expect(snippet(language, { url: 'u', model: 'm', key: '' })).toContain('AITBC_API_KEY')
})
