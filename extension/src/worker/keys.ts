// The keys: making, opening and closing the vault, and signing with it. While it
// is open its random key is in session storage, which only our own pages can
// read and which no disk sees; the secrets are opened for one signature.
import { base64 } from '@scure/base'
import { privateKeyToAccount } from 'viem/accounts'
import type { Address, Hex } from 'viem'
import { accountKey, addressOf, hexOfKey, phraseOf } from '../crypto/phrase.js'
import { again, noAttempts, oneMore, readAttempts, waitFor, type Attempts } from '../vault/attempts.js'
import { create, fill, keyOf, openKey, openSecrets, rewrap, wipe, WrongPassphrase, type Account, type Means, type Secrets, type VaultFile } from '../vault/vault.js'
import { Slot, Turn, type Area } from './store.js'

/** The vault is locked, or there is none. */
export class Locked extends Error {
  override name = 'Locked'
  constructor() {
    super('The wallet is locked.')
  }
}

/** Something that the person should do otherwise. */
export class Unfit extends Error {
  override name = 'Unfit'
}

/** Too many wrong passphrases: no attempt for so many seconds. */
export class Wait extends Error {
  override name = 'Wait'
  constructor(readonly seconds: number) {
    super(`Too many wrong passphrases: wait ${seconds} seconds.`)
  }
}

export const leastPassphrase = 8

interface Open {
  key: string
  until: number
}

export type Locking = 'none' | 'locked' | 'open'

export class Keys {
  readonly #vault: Slot<VaultFile | null>
  readonly #attempts: Slot<unknown>
  readonly #open: Slot<Open | null>
  readonly #turn = new Turn()

  constructor(
    local: Area,
    session: Area,
    private readonly means: Means,
    private readonly now: () => number,
    /** Called when the vault was opened, touched or locked, with the time at which it locks itself. */
    private readonly changed: (until: number | null) => Promise<void>,
  ) {
    this.#vault = new Slot<VaultFile | null>(local, 'vault', () => null)
    this.#attempts = new Slot<unknown>(local, 'attempts', () => noAttempts)
    this.#open = new Slot<Open | null>(session, 'open', () => null)
  }

  async accounts(): Promise<Account[]> {
    return (await this.#vault.get())?.accounts ?? []
  }

  /** Whether a phrase can make more accounts. */
  async hasPhrase(): Promise<boolean> {
    return (await this.accounts()).some((a) => a.index !== null)
  }

  async state(): Promise<Locking> {
    if (!(await this.#vault.get())) return 'none'
    return (await this.#key()) ? 'open' : 'locked'
  }

  /** Milliseconds until a passphrase may be tried. */
  async wait(): Promise<number> {
    return waitFor(readAttempts(await this.#attempts.get()), this.now())
  }

  async #key(): Promise<Uint8Array | null> {
    const open = await this.#open.get()
    if (!open) return null
    if (open.until > this.now()) return base64.decode(open.key)
    await this.lock()
    return null
  }

  async #keep(key: Uint8Array, forMs: number): Promise<void> {
    const until = this.now() + forMs
    await this.#open.set({ key: base64.encode(key), until })
    await this.changed(until)
  }

  /** A new vault of a phrase or of one key, open when this returns. */
  create(from: { entropy: Uint8Array } | { key: Uint8Array }, passphrase: string, forMs: number): Promise<void> {
    return this.#turn.take(async () => {
      checkPassphrase(passphrase)
      const secrets: Secrets = 'entropy' in from ? { entropy: from.entropy, keys: [] } : { entropy: null, keys: [{ address: addressOf(from.key), key: from.key }] }
      const first: Account = 'entropy' in from ? phraseAccount(from.entropy, 0, 'Account 1') : { address: addressOf(from.key), name: 'Imported 1', index: null }
      if (await this.#vault.get()) throw new Unfit('There is a wallet already.')
      const { file, key } = await create(secrets, [first], passphrase, this.means)
      wipe(secrets)
      await this.#vault.set(file)
      await this.#attempts.set(noAttempts)
      await this.#keep(key, forMs)
      key.fill(0)
    })
  }

  /** Opens the vault. It throws {@link WrongPassphrase} or {@link Wait}. */
  unlock(passphrase: string, forMs: number): Promise<void> {
    return this.#turn.take(async () => {
      const key = await this.#try(passphrase)
      await this.#keep(key, forMs)
      key.fill(0)
    })
  }

  /** Tests a passphrase, unless too many failed before. The count is stored before the passphrase is looked at. */
  async #try(passphrase: string): Promise<Uint8Array> {
    const file = await this.#vault.get()
    if (!file) throw new Locked()
    await this.#attempts.change((stored): [Attempts, undefined] => {
      const a = readAttempts(stored)
      const wait = waitFor(a, this.now())
      if (wait > 0) throw new Wait(Math.ceil(wait / 1000))
      return [oneMore(a, this.now()), undefined]
    })
    const key = await openKey(file, passphrase, this.means.derive).catch(async (e: unknown) => {
      // The wait begins now: the attempt itself took a while.
      await this.#attempts.change((stored): [Attempts, undefined] => [again(readAttempts(stored), this.now()), undefined])
      throw e
    })
    openSecrets(file, key) // so that damage shows now, not at the first signature
    await this.#attempts.set(noAttempts)
    return key
  }

  /** Puts the end off: somebody is there. */
  async touch(forMs: number): Promise<void> {
    const until = this.now() + forMs
    const still = await this.#open.change((open): [Open | null, boolean] => (open && open.until > this.now() ? [{ ...open, until }, true] : [open, false]))
    if (still) await this.changed(until)
  }

  async lock(): Promise<void> {
    const was = await this.#open.get()
    await this.#open.clear()
    if (was) await this.changed(null)
  }

  async #use<T>(f: (s: Secrets, file: VaultFile, key: Uint8Array) => Promise<T> | T): Promise<T> {
    const key = await this.#key()
    const file = await this.#vault.get()
    if (!key || !file) throw new Locked()
    const secrets = openSecrets(file, key)
    try {
      return await f(secrets, file, key)
    } finally {
      wipe(secrets)
      key.fill(0)
    }
  }

  /** The signature of a digest, r‖s‖v. The same digest has the same signature always. */
  sign(address: Address, digest: Hex): Promise<Hex> {
    return this.#use(async (secrets, file) => {
      const account = file.accounts.find((a) => a.address === address)
      if (!account) throw new Unfit('This account is not in the wallet.')
      const key = keyOf(secrets, account)
      try {
        return await privateKeyToAccount(hexOfKey(key)).sign({ hash: digest })
      } finally {
        key.fill(0)
      }
    })
  }

  #change(f: (s: Secrets, accounts: Account[]) => Account[]): Promise<void> {
    return this.#turn.take(() => this.#use(async (secrets, file, key) => this.#vault.set(fill(file, key, secrets, f(secrets, file.accounts), this.means.random))))
  }

  /** One more account of the phrase. */
  async addAccount(): Promise<void> {
    await this.#change((s, accounts) => {
      if (!s.entropy) throw new Unfit('This wallet has no phrase that makes accounts: import one.')
      const index = Math.max(-1, ...accounts.map((a) => a.index ?? -1)) + 1
      return withAccount(accounts, phraseAccount(s.entropy, index, `Account ${index + 1}`))
    })
  }

  async importKey(key: Uint8Array): Promise<void> {
    await this.#change((s, accounts) => {
      const address = addressOf(key)
      const n = accounts.filter((a) => a.index === null).length + 1
      const all = withAccount(accounts, { address, name: `Imported ${n}`, index: null })
      s.keys.push({ address, key: key.slice() })
      return all
    })
    key.fill(0)
  }

  async importPhrase(entropy: Uint8Array): Promise<void> {
    await this.#change((s, accounts) => {
      if (s.entropy) throw new Unfit('This wallet has a phrase already.')
      const all = withAccount(accounts, phraseAccount(entropy, 0, 'Account 1'))
      s.entropy = entropy.slice()
      return all
    })
    entropy.fill(0)
  }

  async rename(address: Address, name: string): Promise<void> {
    await this.#change((_, accounts) => accounts.map((a) => (a.address === address ? { ...a, name } : a)))
  }

  /** Forgets an account: an imported key is lost with it. One has to stay. */
  async remove(address: Address): Promise<void> {
    await this.#change((s, accounts) => {
      const left = accounts.filter((a) => a.address !== address)
      if (left.length === 0) throw new Unfit('The last account cannot be removed.')
      s.keys = s.keys.filter((k) => k.address !== address)
      return left
    })
  }

  changePassphrase(old: string, next: string): Promise<void> {
    return this.#turn.take(async () => {
      checkPassphrase(next)
      const key = await this.#try(old)
      const file = (await this.#vault.get())!
      await this.#vault.set(await rewrap(file, key, next, this.means))
      key.fill(0)
    })
  }

  /** The phrase, or the key of an account, for who knows the passphrase. */
  reveal(passphrase: string, of: 'phrase' | Address): Promise<string> {
    return this.#turn.take(async () => {
      const key = await this.#try(passphrase)
      const file = (await this.#vault.get())!
      const secrets = openSecrets(file, key)
      key.fill(0)
      try {
        if (of === 'phrase') {
          if (!secrets.entropy) throw new Unfit('This wallet has no phrase.')
          return phraseOf(secrets.entropy)
        }
        const account = file.accounts.find((a) => a.address === of)
        if (!account) throw new Unfit('This account is not in the wallet.')
        return hexOfKey(keyOf(secrets, account))
      } finally {
        wipe(secrets)
      }
    })
  }

  /** Deletes everything, for who knows the passphrase or has lost it for ever. */
  async destroy(): Promise<void> {
    await this.lock()
    await this.#vault.clear()
    await this.#attempts.clear()
  }
}

function phraseAccount(entropy: Uint8Array, index: number, name: string): Account {
  const key = accountKey(entropy, index)
  const address = addressOf(key)
  key.fill(0)
  return { address, name, index }
}

function withAccount(accounts: Account[], a: Account): Account[] {
  if (accounts.some((x) => x.address === a.address)) throw new Unfit('This account is in the wallet already.')
  return [...accounts, a]
}

function checkPassphrase(p: string): void {
  if (p.length < leastPassphrase) throw new Unfit(`A passphrase has ${leastPassphrase} characters at least.`)
}

export { WrongPassphrase }
