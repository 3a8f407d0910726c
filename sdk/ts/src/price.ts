// Prices and fees: docs/PROTOCOL.md section 3. All amounts are base units.

/** Base units per 10^6 tokens, per second of computing, and per item. */
export interface Rates {
  prompt: bigint
  completion: bigint
  second: bigint
  item: bigint
}

/** What a job uses. Items are texts to embed; any other job is one. */
export interface Usage {
  promptTokens: bigint
  completionTokens: bigint
  computeMillis: bigint
  items: bigint
}

/** The price of a job, rounded up once. */
export function price(r: Rates, u: Usage): bigint {
  const sum = u.promptTokens * r.prompt + u.completionTokens * r.completion + u.computeMillis * r.second * 1_000n + u.items * r.item * 1_000_000n
  return (sum + 999_999n) / 1_000_000n
}

/** The protocol's fee of a debit that moves a session's total from before to after. */
export function fee(before: bigint, after: bigint, bps: bigint): bigint {
  const share = (x: bigint) => (x * bps) / 10_000n
  return share(after) - share(before)
}
