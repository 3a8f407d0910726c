import { sha256 } from '@noble/hashes/sha2'
import { utf8ToBytes } from '@noble/hashes/utils'
import { floor, type Derive } from '../src/crypto/kdf.js'
import type { Means } from '../src/vault/vault.js'

/** Quick, so that what is tested is not argon2id. */
export const quick: Derive = async (passphrase, salt) => sha256(Uint8Array.of(...utf8ToBytes(passphrase), ...salt))
export const random = (n: number) => crypto.getRandomValues(new Uint8Array(n))
export const means: Means = { derive: quick, random, cost: floor }
