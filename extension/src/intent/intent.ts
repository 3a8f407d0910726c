// What a signature would mean: who, what, how much, to whom. The same words as
// the wallet daemon's (wallet/intent), kept the same by shared vectors.
import type { Address, Hex } from 'viem'
import { printable } from './text.js'

/** What is never signed, whatever the settings say, and why. */
export class Refused extends Error {
  override name = 'Refused'
}

export type Kind = 'transfer' | 'call' | 'deploy' | 'typed_data' | 'message' | 'sign_in'

/** One value, as it is shown. */
export interface Value {
  name: string
  value: string
}

export interface Intent {
  kind: Kind
  summary: string
  from: Address
  to: Address | null
  /** That leaves the account, in base units. */
  amount: bigint
  /** The most that it can cost, with the highest fee. */
  worth: bigint
  parties: Address[]
  fields: Value[]
  /** It cannot be decoded: signing it is signing blind. */
  opaque: boolean
  /** It may move what worth does not count. */
  unknown: boolean
  warning: string
  /** What would be signed. */
  digest: Hex
}

/** An intent about which nothing is known yet. */
export function blank(kind: Kind, from: Address): Intent {
  return { kind, summary: '', from, to: null, amount: 0n, worth: 0n, parties: [], fields: [], opaque: false, unknown: false, warning: '', digest: '0x' }
}

/** Adds a value that is shown. */
export function field(i: Intent, name: string, value: string): void {
  i.fields.push({ name, value: printable(value) })
}

/**
 * Whether it is signed only where the person has turned blind signing on:
 * nobody can decode it, or it is typed data of others, whose effect nobody knows.
 */
export function isBlind(i: Intent): boolean {
  return i.opaque || (i.kind === 'typed_data' && i.unknown)
}
