// What jobs will cost, to the unit: the price of docs/PROTOCOL.md section 3.
import { price } from '../../../../sdk/ts/src/price.js'
import type { Offer } from '../types.js'

export interface Wish {
  prompt: bigint
  completion: bigint
  seconds: bigint
  items: bigint
  jobs: bigint
}

export const usual: Wish = { prompt: 500n, completion: 500n, seconds: 0n, items: 1n, jobs: 1000n }

const names = ['prompt', 'completion', 'seconds', 'items', 'jobs'] as const
const most = 10n ** 15n

/** The wish that an address means. */
export function wishOf(p: URLSearchParams): Wish {
  const out = { ...usual }
  for (const name of names) {
    const text = p.get(name)
    if (text !== null && /^\d{1,16}$/.test(text) && BigInt(text) <= most) out[name] = BigInt(text)
  }
  return out
}

/** The query of a wish's address. */
export function wishURL(w: Wish): string {
  const p = new URLSearchParams()
  for (const name of names) if (w[name] !== usual[name]) p.set(name, String(w[name]))
  return p.size > 0 ? `?${p}` : ''
}

/** What one job costs, and all of them: each is rounded up by itself. */
export function estimate(o: Pick<Offer, 'prompt_rate' | 'completion_rate' | 'second_rate' | 'item_rate'>, w: Wish): { job: bigint; all: bigint } {
  const rates = { prompt: BigInt(o.prompt_rate), completion: BigInt(o.completion_rate), second: BigInt(o.second_rate ?? 0), item: BigInt(o.item_rate ?? 0) }
  const job = price(rates, { promptTokens: w.prompt, completionTokens: w.completion, computeMillis: w.seconds * 1000n, items: w.items })
  return { job, all: job * w.jobs }
}
