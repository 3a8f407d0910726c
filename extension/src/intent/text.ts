// How values are written for people. Amounts are exact.

/** Coins of base units, as "1.5 AITBC". */
export function coins(units: bigint): string {
  const text = units.toString().padStart(19, '0')
  const rest = text.slice(-18).replace(/0+$/, '')
  return `${text.slice(0, -18)}${rest === '' ? '' : `.${rest}`} AITBC`
}

/** Base units of coins as a person writes them: "1.5". Null for anything else. */
export function unitsOf(text: string): bigint | null {
  const m = /^(\d{1,21})(?:\.(\d{1,18}))?$/.exec(text.trim())
  if (!m) return null
  const units = BigInt(m[1]!) * 10n ** 18n + BigInt((m[2] ?? '').padEnd(18, '0'))
  return units < 1n << 128n ? units : null
}

/**
 * Replaces what could deceive whoever reads: control characters but line
 * breaks, and what changes the direction of text or cannot be seen.
 */
export function printable(s: string): string {
  return s.toWellFormed().replace(/[^\P{Cc}\n]|\p{Cf}|\uFFFD/gu, '·')
}

/** A stranger's text for one line of ours, not longer than it should be. */
export function line(s: string, most = 80): string {
  const text = [...printable(s).replace(/[\p{Z}\n\u115F\u1160\u3164\uFFA0\u2800]+/gu, ' ').trim()]
  return text.length > most ? `${text.slice(0, most).join('')}…` : text.join('')
}

/** A time of the chain. */
export function clock(seconds: bigint): string {
  if (seconds > 1n << 33n) return `second ${seconds}`
  return new Date(Number(seconds) * 1000).toISOString().replace('T', ' ').replace('.000Z', 'Z')
}

/** The first and last digits of a hash or an address. */
export function short(id: string, ends = 4): string {
  return id.length <= 2 * ends + 3 ? id : `${id.slice(0, ends + 2)}…${id.slice(-ends)}`
}
