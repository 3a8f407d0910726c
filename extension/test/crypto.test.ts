// Phrases, keys and key files, on the vectors that the wallet daemon passes.
import { hexToBytes } from '@noble/hashes/utils'
import { argon2id } from '@noble/hashes/argon2'
import { bytesToHex } from '@noble/hashes/utils'
import { mnemonicToSeedSync } from '@scure/bip39'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { derive, fits, floor, usual } from '../src/crypto/kdf.js'
import { BadKeyFile, openKeyFile, WrongPassphrase } from '../src/crypto/keystore.js'
import { accountKey, addressOf, BadPhrase, entropyOf, keyAt, keyOfHex, phraseOf } from '../src/crypto/phrase.js'
import { vectors } from './read.js'

describe('phrases', () => {
  const all = vectors<{ entropy: string; mnemonic: string; seed: string }[]>('wallet/hd/testdata/vectors/bip39.json')
  it('are those of BIP-39', () => {
    for (const v of all) {
      expect(phraseOf(hexToBytes(v.entropy))).toBe(v.mnemonic)
      expect(bytesToHex(entropyOf(`  ${v.mnemonic.toUpperCase().replaceAll(' ', '\n ')} `))).toBe(v.entropy)
      expect(bytesToHex(mnemonicToSeedSync(v.mnemonic, 'TREZOR'))).toBe(v.seed)
    }
  })
  it('make the keys of BIP-32', () => {
    for (const v of vectors<{ seed: string; path: string; key: string }[]>('wallet/hd/testdata/vectors/bip32.json')) expect(bytesToHex(keyAt(hexToBytes(v.seed), v.path))).toBe(v.key)
  })
  it('make the accounts that every wallet makes of the test phrase', () => {
    const entropy = entropyOf('test test test test test test test test test test test junk')
    expect([0, 1].map((n) => addressOf(accountKey(entropy, n)))).toEqual(['0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266', '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'])
  })
  it.each([
    ['', 'not 0'],
    ['test test test', 'not 3'],
    ['test test test test test test test test test test test tset', 'Word number 12'],
    ['test test test test test test test test test test test test', 'not a phrase'],
  ])('"%s" is refused', (phrase, why) => {
    expect(() => entropyOf(phrase)).toThrow(BadPhrase)
    expect(() => entropyOf(phrase)).toThrow(why)
  })
})

describe('keys in hex', () => {
  it('are read', () => expect(addressOf(keyOfHex(` 0x${'0'.repeat(63)}1 `))).toBe('0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf'))
  it.each(['', '0x12', '0'.repeat(64), 'f'.repeat(64), 'g'.repeat(64)])('"%s" is refused', (text) => expect(() => keyOfHex(text)).toThrow(BadPhrase))
})

describe('key files', () => {
  interface KeyFile { name: string; password: string; private: string; file: { crypto: { kdfparams: Record<string, unknown> }; version: number } }
  const all = vectors<KeyFile[]>('wallet/keystore/testdata/vectors/web3v3.json')
  // The costs of the standard's own vectors are for patient people: the cheap ones are enough here.
  const cheap = vectors<unknown>('wallet/keystore/testdata/geth/very-light-scrypt.json')
  it('of geth open', async () => {
    await expect(openKeyFile(JSON.stringify(cheap), 'wrong')).rejects.toThrow(WrongPassphrase)
    expect(addressOf(await openKeyFile(JSON.stringify(cheap), '')).toLowerCase()).toBe(`0x${(cheap as { address: string }).address}`)
  })
  it('of the standard open', async () => {
    const v = all.find((f) => f.name === 'pbkdf2')!
    expect(bytesToHex(await openKeyFile(JSON.stringify(v.file), v.password))).toBe(v.private)
  })
  it('that ask too much, or are none, are refused before any work', async () => {
    const v = structuredClone(all.find((f) => f.name === 'scrypt')!.file)
    for (const kdfparams of [{ n: 1 << 30 }, { n: 3 }, { r: 1e9 }, { p: 0 }, { dklen: 64 }, { salt: '' }]) {
      await expect(openKeyFile(JSON.stringify({ ...v, crypto: { ...v.crypto, kdfparams: { ...v.crypto.kdfparams, ...kdfparams } } }), 'x')).rejects.toThrow(BadKeyFile)
    }
    for (const text of ['', '{}', 'null', '[]', '{"version":3}', JSON.stringify({ ...v, version: 1 })]) await expect(openKeyFile(text, 'x')).rejects.toThrow(BadKeyFile)
  })
  it('of any shape never end in another error', async () => {
    await fc.assert(fc.asyncProperty(fc.json(), async (text) => {
      await expect(openKeyFile(text, 'x')).rejects.toThrow(BadKeyFile)
    }), { numRuns: 200 })
  })
})

describe('argon2id', () => {
  it('is the same in WebAssembly and in JavaScript', async () => {
    const cost = { time: 1, memoryKiB: 256, threads: 4 }
    const salt = new Uint8Array(16).fill(7)
    expect(await derive('pässword', salt, cost)).toEqual(argon2id('pässword', salt, { t: cost.time, m: cost.memoryKiB, p: cost.threads, dkLen: 32 }))
  })
  it('takes no cost below the floor, nor one without end', () => {
    expect([fits(floor), fits(usual)]).toEqual([true, true])
    for (const c of [{ ...floor, time: 1 }, { ...floor, memoryKiB: 1024 }, { ...floor, memoryKiB: 1 << 24 }, { ...floor, time: NaN }, { ...floor, threads: 1 }]) expect(fits(c)).toBe(false)
  })
})
