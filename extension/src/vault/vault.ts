// The vault: secrets under a random key, the key under a slow hash of the
// passphrase. Pure: it neither stores nor remembers anything.
import { xchacha20poly1305 } from '@noble/ciphers/chacha'
import { utf8ToBytes } from '@noble/hashes/utils'
import { base64 } from '@scure/base'
import type { Address } from 'viem'
import { accountKey, addressOf } from '../crypto/phrase.js'
import { fits, type Cost, type Derive } from '../crypto/kdf.js'

/** An account, as whoever can read the storage may know it. */
export interface Account {
  address: Address
  name: string
  /** The place below the phrase; null for an imported key. */
  index: number | null
}

/** What nobody may know. */
export interface Secrets {
  /** Of the phrase; null where there is none. */
  entropy: Uint8Array | null
  keys: { address: Address; key: Uint8Array }[]
}

/** A vault as it is stored, under one name and in one write. */
export interface VaultFile {
  version: 1
  id: string
  accounts: Account[]
  cost: Cost
  salt: string
  /** The random key, under the passphrase's. */
  key: string
  /** The secrets, under the random key, bound to all the rest but the passphrase's part. */
  box: string
}

/** The passphrase does not open the vault. */
export class WrongPassphrase extends Error {
  override name = 'WrongPassphrase'
  constructor() {
    super('The passphrase is wrong.')
  }
}

/** The stored vault was damaged or changed. */
export class DamagedVault extends Error {
  override name = 'DamagedVault'
  constructor(what: string) {
    super(`The stored vault is damaged: ${what}. Import your phrase again.`)
  }
}

/** Where keys, salts and nonces come from. */
export type Random = (bytes: number) => Uint8Array

const nonceSize = 24

function seal(key: Uint8Array, plain: Uint8Array, bound: string, random: Random): string {
  const nonce = random(nonceSize)
  const box = xchacha20poly1305(key, nonce, utf8ToBytes(bound)).encrypt(plain)
  return base64.encode(Uint8Array.of(...nonce, ...box))
}

/** Null where the key is wrong or anything was changed. */
function unseal(key: Uint8Array, text: string, bound: string): Uint8Array | null {
  try {
    const all = base64.decode(text)
    return xchacha20poly1305(key, all.subarray(0, nonceSize), utf8ToBytes(bound)).decrypt(all.subarray(nonceSize))
  } catch {
    return null
  }
}

const boundKey = (id: string) => `aitbc extension vault 1 key ${id}`
const boundBox = (id: string, accounts: Account[]) => `aitbc extension vault 1 box ${id} ${JSON.stringify(accounts.map((a) => [a.address, a.name, a.index]))}`

function pack(s: Secrets): Uint8Array {
  return utf8ToBytes(JSON.stringify({ entropy: s.entropy && base64.encode(s.entropy), keys: s.keys.map((k) => [k.address, base64.encode(k.key)]) }))
}

function unpack(plain: Uint8Array): Secrets {
  const raw = JSON.parse(new TextDecoder().decode(plain)) as { entropy: string | null; keys: [Address, string][] }
  plain.fill(0)
  return { entropy: raw.entropy === null ? null : base64.decode(raw.entropy), keys: raw.keys.map(([address, key]) => ({ address, key: base64.decode(key) })) }
}

/** Erases what can be erased. */
export function wipe(s: Secrets): void {
  s.entropy?.fill(0)
  s.keys.forEach((k) => k.key.fill(0))
}

/** The private key of an account; the caller wipes it. */
export function keyOf(s: Secrets, a: Account): Uint8Array {
  const key = a.index === null ? s.keys.find((k) => k.address === a.address)?.key.slice() : s.entropy && accountKey(s.entropy, a.index)
  if (!key || addressOf(key) !== a.address) throw new DamagedVault('an account has no key')
  return key
}

async function wrap(id: string, key: Uint8Array, passphrase: string, cost: Cost, derive: Derive, random: Random): Promise<Pick<VaultFile, 'cost' | 'salt' | 'key'>> {
  const salt = random(16)
  const slow = await derive(passphrase, salt, cost)
  try {
    return { cost, salt: base64.encode(salt), key: seal(slow, key, boundKey(id), random) }
  } finally {
    slow.fill(0)
  }
}

/** How a vault is made or opened. */
export interface Means {
  derive: Derive
  random: Random
  cost: Cost
}

/** A new vault, and its key. */
export async function create(secrets: Secrets, accounts: Account[], passphrase: string, m: Means): Promise<{ file: VaultFile; key: Uint8Array }> {
  const key = m.random(32)
  const id = base64.encode(m.random(12))
  const file: VaultFile = { version: 1, id, accounts, ...(await wrap(id, key, passphrase, m.cost, m.derive, m.random)), box: '' }
  return { file: fill(file, key, secrets, accounts, m.random), key }
}

/** The vault with other secrets and accounts; every account must have its key. */
export function fill(file: VaultFile, key: Uint8Array, secrets: Secrets, accounts: Account[], random: Random): VaultFile {
  accounts.forEach((a) => keyOf(secrets, a).fill(0))
  const plain = pack(secrets)
  try {
    return { ...file, accounts, box: seal(key, plain, boundBox(file.id, accounts), random) }
  } finally {
    plain.fill(0)
  }
}

/** The vault's key, by its passphrase. */
export async function openKey(file: VaultFile, passphrase: string, derive: Derive): Promise<Uint8Array> {
  if (file.version !== 1 || !fits(file.cost)) throw new DamagedVault('its version or its cost is not ours')
  const slow = await derive(passphrase, base64.decode(file.salt), file.cost)
  const key = unseal(slow, file.key, boundKey(file.id))
  slow.fill(0)
  if (!key) throw new WrongPassphrase()
  return key
}

/** The secrets, by the vault's key; the caller wipes them. */
export function openSecrets(file: VaultFile, key: Uint8Array): Secrets {
  const plain = unseal(key, file.box, boundBox(file.id, file.accounts))
  if (!plain) throw new DamagedVault('its accounts or its secrets were changed')
  return unpack(plain)
}

/** The vault under another passphrase. Its key stays. */
export async function rewrap(file: VaultFile, key: Uint8Array, passphrase: string, m: Means): Promise<VaultFile> {
  return { ...file, ...(await wrap(file.id, key, passphrase, m.cost, m.derive, m.random)) }
}
