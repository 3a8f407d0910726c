// Prices and fees: docs/PROTOCOL.md section 3. All amounts are base units.

/** Rates are base units per 10^6 tokens. The price is rounded up, once. */
export function price(promptTokens: bigint, completionTokens: bigint, promptRate: bigint, completionRate: bigint): bigint {
  return (promptTokens * promptRate + completionTokens * completionRate + 999_999n) / 1_000_000n
}

/** The protocol's fee of a debit that moves a session's total from before to after. */
export function fee(before: bigint, after: bigint, bps: bigint): bigint {
  const share = (x: bigint) => (x * bps) / 10_000n
  return share(after) - share(before)
}
