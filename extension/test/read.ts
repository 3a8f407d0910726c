import { readFileSync } from 'node:fs'

/** The JSON of a file of the repository. */
export function vectors<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')) as T
}
