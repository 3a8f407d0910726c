// How values are written. Amounts are exact: decimal strings of base units come
// in, and no digit is lost.

/** Coins of a decimal string of base units, as "1,234.5". A token may have other decimals. */
export function coins(units: string, decimals = 18): string {
  const text = units.padStart(decimals + 1, '0')
  const whole = text.slice(0, text.length - decimals).replace(/^0+(?=\d)/, '')
  const rest = text.slice(text.length - decimals).replace(/0+$/, '')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return rest === '' ? grouped : `${grouped}.${rest}`
}

/** A whole number with commas. */
export function count(n: number | string): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** The first and last digits of a hash or an address. */
export function short(id: string, ends = 6): string {
  return id.length <= 2 * ends + 3 ? id : `${id.slice(0, ends + 2)}…${id.slice(-ends)}`
}

/** How long ago a time was, in one unit. */
export function ago(then: number, now: number): string {
  const s = Math.max(0, Math.round((now - then) / 1000))
  if (s < 60) return `${s} s ago`
  if (s < 3600) return `${Math.floor(s / 60)} min ago`
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`
  return `${Math.floor(s / 86400)} d ago`
}

/** A time in UTC, to the second. */
export function utc(t: Date): string {
  return t.toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC')
}

/** Basis points as per cent. */
export function percent(bps: number): string {
  return `${(bps / 100).toFixed(2).replace(/\.?0+$/, '')} %`
}

/** The base units that a person's decimal number of coins means, exactly; null if it is none. */
export function units(text: string): bigint | null {
  const m = /^(\d{1,30})(?:\.(\d{0,18}))?$/.exec(text.trim().replace(/(?<=\d),(?=\d{3}(\D|$))/g, ''))
  return m ? BigInt(m[1]!) * 10n ** 18n + BigInt((m[2] ?? '').padEnd(18, '0')) : null
}
