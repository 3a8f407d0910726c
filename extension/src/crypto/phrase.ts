// Phrases of BIP-39 and the keys that BIP-44 derives from them.
import { HDKey } from '@scure/bip32'
import { entropyToMnemonic, mnemonicToEntropy, mnemonicToSeedSync } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english'
import { privateKeyToAddress } from 'viem/accounts'
import { bytesToHex, type Address, type Hex } from 'viem'

/** A phrase that is none, and why, in words for people. */
export class BadPhrase extends Error {
  override name = 'BadPhrase'
}

/** The phrase of entropy: 16 bytes make 12 words, 32 make 24. */
export function phraseOf(entropy: Uint8Array): string {
  return entropyToMnemonic(entropy, wordlist)
}

/** What a phrase encodes. Capitals and more spaces than one are allowed; the rest is a {@link BadPhrase}. */
export function entropyOf(phrase: string): Uint8Array {
  const words = phrase.trim().toLowerCase().split(/\s+/)
  if (![12, 15, 18, 21, 24].includes(words.length)) throw new BadPhrase(`A phrase has 12, 15, 18, 21 or 24 words, not ${phrase.trim() === '' ? 0 : words.length}.`)
  const unknown = words.findIndex((w) => !wordlist.includes(w))
  if (unknown >= 0) throw new BadPhrase(`Word number ${unknown + 1} is not in the list of words.`)
  try {
    return mnemonicToEntropy(words.join(' '), wordlist)
  } catch {
    throw new BadPhrase('The words are not a phrase: one is wrong, or their order is.')
  }
}

/** The path of the n-th account, as Ethereum's wallets have it. */
export function accountPath(n: number): string {
  return `m/44'/60'/0'/0/${n}`
}

/** The private key at a path below a seed. */
export function keyAt(seed: Uint8Array, path: string): Uint8Array {
  const root = HDKey.fromMasterSeed(seed)
  const node = root.derive(path)
  const key = node.privateKey
  if (!key) throw new Error('no key at this path')
  const copy = key.slice()
  node.wipePrivateData()
  root.wipePrivateData()
  return copy
}

/** The private key of the n-th account of a phrase's entropy. */
export function accountKey(entropy: Uint8Array, n: number): Uint8Array {
  const seed = mnemonicToSeedSync(phraseOf(entropy))
  try {
    return keyAt(seed, accountPath(n))
  } finally {
    seed.fill(0)
  }
}

/** The account of a private key; it throws for bytes that are none. */
export function addressOf(key: Uint8Array): Address {
  return privateKeyToAddress(bytesToHex(key))
}

/** A private key written in hex, with or without 0x. */
export function keyOfHex(text: string): Uint8Array {
  const digits = text.trim().replace(/^0x/i, '')
  if (!/^[0-9a-f]{64}$/i.test(digits)) throw new BadPhrase('A private key has 64 hex digits.')
  const key = Uint8Array.from(digits.match(/../g)!, (d) => parseInt(d, 16))
  try {
    addressOf(key)
  } catch {
    throw new BadPhrase('This is no private key: it is zero or too large.')
  }
  return key
}

/** A private key as viem takes it. */
export function hexOfKey(key: Uint8Array): Hex {
  return bytesToHex(key)
}
