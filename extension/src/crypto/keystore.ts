// Web3 Secret Storage, version 3: the key files of geth, aitbc and many wallets.
import { ctr } from '@noble/ciphers/aes'
import { equalBytes } from '@noble/ciphers/utils'
import { pbkdf2Async } from '@noble/hashes/pbkdf2'
import { scryptAsync } from '@noble/hashes/scrypt'
import { sha256 } from '@noble/hashes/sha2'
import { keccak_256 } from '@noble/hashes/sha3'
import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils'
import { addressOf } from './phrase.js'

/** A file that is no key file, or asks too much. */
export class BadKeyFile extends Error {
  override name = 'BadKeyFile'
}

/** The passphrase does not open the file. */
export class WrongPassphrase extends Error {
  override name = 'WrongPassphrase'
  constructor() {
    super('The passphrase is wrong.')
  }
}

// Bounds of what a file may ask of us: somebody else may have written it.
const maxScryptMemory = 1 << 30
const maxScryptWork = 1 << 24
const maxRounds = 10_000_000

type Fields = Record<string, unknown>

function fields(v: unknown, name: string): Fields {
  if (typeof v !== 'object' || v === null || Array.isArray(v)) throw new BadKeyFile(`This is no key file: ${name} is missing.`)
  return v as Fields
}

function bytes(v: unknown, name: string, least: number, most = least): Uint8Array {
  const digits = typeof v === 'string' ? v.replace(/^0x/, '') : ''
  if (!/^([0-9a-fA-F]{2})*$/.test(digits) || digits.length < 2 * least || digits.length > 2 * most) throw new BadKeyFile(`This is no key file: ${name} has the wrong length.`)
  return hexToBytes(digits)
}

function whole(v: unknown, least: number, most: number): number {
  if (!Number.isSafeInteger(v) || (v as number) < least || (v as number) > most) throw new BadKeyFile('What this key file asks of key derivation is out of bounds.')
  return v as number
}

async function derive(crypto: Fields, passphrase: string): Promise<Uint8Array> {
  const p = fields(crypto.kdfparams, 'kdfparams')
  const salt = bytes(p.salt, 'salt', 1, 1024)
  whole(p.dklen, 32, 32)
  const password = utf8ToBytes(passphrase)
  if (crypto.kdf === 'scrypt') {
    const [N, r, q] = [whole(p.n, 2, 1 << 24), whole(p.r, 1, 64), whole(p.p, 1, 1024)]
    if (!Number.isInteger(Math.log2(N)) || 128 * N * r > maxScryptMemory || N * r * q > maxScryptWork) throw new BadKeyFile('What this key file asks of key derivation is out of bounds.')
    return scryptAsync(password, salt, { N, r, p: q, dkLen: 32, maxmem: 2 ** 31 })
  }
  if (crypto.kdf === 'pbkdf2' && p.prf === 'hmac-sha256') return pbkdf2Async(sha256, password, salt, { c: whole(p.c, 1, maxRounds), dkLen: 32 })
  throw new BadKeyFile('This key file uses a key derivation that is not known.')
}

/** The private key in a key file: a {@link BadKeyFile} or a {@link WrongPassphrase} otherwise. */
export async function openKeyFile(text: string, passphrase: string): Promise<Uint8Array> {
  if (text.length > 64 * 1024) throw new BadKeyFile('This is no key file: it is too large.')
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    throw new BadKeyFile('This is no key file: it is not JSON.')
  }
  const file = fields(raw, 'its content')
  if (file.version !== 3) throw new BadKeyFile('This is no key file of version 3.')
  const crypto = fields(file.crypto ?? file.Crypto, 'crypto')
  if (crypto.cipher !== 'aes-128-ctr') throw new BadKeyFile('This key file uses a cipher that is not known.')
  const iv = bytes(fields(crypto.cipherparams, 'cipherparams').iv, 'iv', 16)
  const sealed = bytes(crypto.ciphertext, 'ciphertext', 30, 32)
  const mac = bytes(crypto.mac, 'mac', 32)
  const derived = await derive(crypto, passphrase)
  if (!equalBytes(keccak_256(concatBytes(derived.subarray(16, 32), sealed)), mac)) throw new WrongPassphrase()
  const key = new Uint8Array(32) // old programs left zeros at the front out
  key.set(ctr(derived.subarray(0, 16), iv).decrypt(sealed), 32 - sealed.length)
  let address: string
  try {
    address = addressOf(key)
  } catch {
    throw new BadKeyFile('This key file holds no private key.')
  }
  if (file.address !== undefined && `0x${String(file.address).replace(/^0x/, '')}`.toLowerCase() !== address.toLowerCase()) throw new BadKeyFile('This key file holds the key of another address than it says.')
  return key
}
