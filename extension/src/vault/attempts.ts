// How long whoever gives wrong passphrases has to wait. The count is stored
// before a passphrase is looked at, so that no restart makes it forgotten.

/** What was tried in vain. */
export interface Attempts {
  failed: number
  /** No attempt before this time, in milliseconds since 1970. */
  until: number
}

const free = 3
const first = 1_000
const most = 3_600_000

export const noAttempts: Attempts = { failed: 0, until: 0 }

/** Milliseconds to wait before an attempt. A clock that was set back costs an hour at most. */
export function waitFor(a: Attempts, now: number): number {
  return Math.max(0, Math.min(a.until - now, most))
}

/** The count with one more attempt, taken to fail until it is seen not to. */
export function oneMore(a: Attempts, now: number): Attempts {
  return again({ ...a, failed: a.failed + 1 }, now)
}

/** The same count, with its wait beginning now. */
export function again(a: Attempts, now: number): Attempts {
  const over = a.failed - free
  return { failed: a.failed, until: over > 0 ? now + Math.min(most, first * 2 ** Math.min(over - 1, 20)) : 0 }
}

/** What is stored, read with suspicion: whoever damaged it wanted to be let in. */
export function readAttempts(stored: unknown): Attempts {
  if (stored === undefined) return noAttempts
  const a = stored as Attempts
  if (a && Number.isSafeInteger(a.failed) && a.failed >= 0 && Number.isFinite(a.until)) return { failed: a.failed, until: a.until }
  return { failed: free + 12, until: 0 }
}
