// What a miner earned, from what the Market said that it paid.
import type { Event } from '@aitbc/shared'

export interface Bar {
  at: number
  value: bigint
}

/** What was paid in each step of time, oldest first, with the steps in which nothing was. */
export function bars(events: Event[], step: number, now: number, many: number): Bar[] {
  const last = Math.floor(now / step)
  const out = Array.from({ length: many }, (_, i) => ({ at: (last - many + 1 + i) * step, value: 0n }))
  for (const e of events) {
    const i = Math.floor(new Date(e.time).getTime() / step) - (last - many + 1)
    const bar = out[i]
    if (bar) bar.value += BigInt(String(e.args['paid']))
  }
  return out
}

/** All that some events paid. */
export const sum = (events: Event[]): bigint => events.reduce((n, e) => n + BigInt(String(e.args['paid'])), 0n)
