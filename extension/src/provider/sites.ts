// Which sites may see which accounts.
import type { Address } from 'viem'
import { Slot, type Area } from '../worker/store.js'

export interface Permission {
  origin: string
  accounts: Address[]
  /** When it was given, in milliseconds since 1970. */
  at: number
}

export class Sites {
  readonly #all: Slot<Permission[]>

  constructor(local: Area, private readonly now: () => number) {
    this.#all = new Slot<Permission[]>(local, 'sites', () => [])
  }

  list(): Promise<Permission[]> {
    return this.#all.get()
  }

  /** The accounts that a site may see; empty for a stranger. */
  async accounts(origin: string): Promise<Address[]> {
    return (await this.list()).find((p) => p.origin === origin)?.accounts ?? []
  }

  async grant(origin: string, accounts: Address[]): Promise<void> {
    await this.#all.change((all): [Permission[], undefined] => [[...all.filter((p) => p.origin !== origin), { origin, accounts, at: this.now() }], undefined])
  }

  async revoke(origin: string): Promise<void> {
    await this.#all.change((all): [Permission[], undefined] => [all.filter((p) => p.origin !== origin), undefined])
  }

  /** Takes an account out of all permissions. */
  async forget(account: Address): Promise<void> {
    await this.#all.change((all): [Permission[], undefined] => [
      all.map((p) => ({ ...p, accounts: p.accounts.filter((a) => a !== account) })).filter((p) => p.accounts.length > 0), undefined,
    ])
  }
}
