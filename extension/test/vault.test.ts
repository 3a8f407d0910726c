import { describe, expect, it } from 'vitest'
import { floor } from '../src/crypto/kdf.js'
import { accountKey, addressOf, entropyOf } from '../src/crypto/phrase.js'
import { noAttempts, oneMore, readAttempts, waitFor } from '../src/vault/attempts.js'
import { create, DamagedVault, fill, keyOf, openKey, openSecrets, rewrap, WrongPassphrase, type Account, type VaultFile } from '../src/vault/vault.js'
import { means, quick, random } from './means.js'

const entropy = entropyOf('test test test test test test test test test test test junk')
const first: Account = { address: addressOf(accountKey(entropy, 0)), name: 'First', index: 0 }
const secrets = () => ({ entropy: entropy.slice(), keys: [] })

describe('a vault', () => {
  it('opens with its passphrase alone, and gives the key of an account', async () => {
    const { file } = await create(secrets(), [first], 'correct', means)
    await expect(openKey(file, 'Correct', quick)).rejects.toThrow(WrongPassphrase)
    const opened = openSecrets(file, await openKey(file, 'correct', quick))
    expect(addressOf(keyOf(opened, first))).toBe(first.address)
    expect(JSON.stringify(file)).not.toContain('junk')
  })

  it('keeps its secrets under another passphrase, and not under the old one', async () => {
    const { file, key } = await create(secrets(), [first], 'old', means)
    const changed = await rewrap(file, key, 'new', means)
    await expect(openKey(changed, 'old', quick)).rejects.toThrow(WrongPassphrase)
    expect(openSecrets(changed, await openKey(changed, 'new', quick)).entropy).toEqual(entropy)
  })

  it('is not made with an account that it has no key of', async () => {
    const { file, key } = await create(secrets(), [first], 'p', means)
    const stranger: Account = { address: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8', name: 'X', index: null }
    expect(() => fill(file, key, secrets(), [first, stranger], random)).toThrow(DamagedVault)
    expect(() => fill(file, key, secrets(), [{ ...first, index: 1 }], random)).toThrow(DamagedVault)
  })

  it('notices every change of what is stored', async () => {
    const { file, key } = await create(secrets(), [first], 'p', means)
    const other: Account = { ...first, address: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' }
    const changed: VaultFile[] = [{ ...file, accounts: [other] }, { ...file, accounts: [] }, { ...file, id: 'AAAA' }, { ...file, box: file.key }, { ...file, box: '' }]
    for (const f of changed) expect(() => openSecrets(f, key)).toThrow(DamagedVault)
    for (let at = 0; at < file.box.length - 2; at += 7) {
      const box = file.box.slice(0, at) + (file.box[at] === 'A' ? 'B' : 'A') + file.box.slice(at + 1)
      expect(() => openSecrets({ ...file, box }, key)).toThrow(DamagedVault)
    }
    await expect(openKey({ ...file, cost: { ...floor, time: 1 } }, 'p', quick)).rejects.toThrow(DamagedVault)
  })

  it('never uses a nonce or a salt twice', async () => {
    const { file, key } = await create(secrets(), [first], 'p', means)
    const again = fill(file, key, secrets(), [first], random)
    const rewrapped = await rewrap(file, key, 'p', means)
    expect(new Set([file.box, again.box]).size).toBe(2)
    expect(new Set([file.salt, rewrapped.salt]).size).toBe(2)
  })
})

describe('wrong passphrases', () => {
  it('cost nothing three times, then twice as long each time, up to an hour', () => {
    let a = noAttempts
    const waits: number[] = []
    for (let n = 0; n < 20; n++) {
      a = oneMore(a, 1000)
      waits.push(waitFor(a, 1000))
    }
    expect(waits.slice(0, 6)).toEqual([0, 0, 0, 1000, 2000, 4000])
    expect(waits.at(-1)).toBe(3_600_000)
  })
  it('are counted on after damage, and a clock that was set back costs an hour at most', () => {
    expect(readAttempts('x').failed).toBeGreaterThan(10)
    expect(readAttempts({ failed: -1, until: 0 }).failed).toBeGreaterThan(10)
    expect(readAttempts(undefined)).toEqual(noAttempts)
    expect(waitFor({ failed: 9, until: 1e15 }, 0)).toBe(3_600_000)
  })
})
