// What the parts of the wallet share.
import type { Address } from 'viem'
import type { Account } from '../vault/vault.js'
import { Requests } from '../provider/requests.js'
import { Sites } from '../provider/sites.js'
import { Keys } from './keys.js'
import { Networks } from './networks.js'
import { Outbox } from './outbox.js'
import { SettingsSlot } from './settings.js'
import type { Area } from './store.js'
import type { Means } from '../vault/vault.js'
import type { Ask } from '../chain/rpc.js'

/** The world around the wallet: the browser's, or a test's. */
export interface World {
  local: Area
  session: Area
  means: Means
  now: () => number
  connect: (url: string) => Ask
  /** Something changed that pages may show. It must not throw. */
  changed: () => void
  /** The vault locks itself at this time; null for not at all. */
  lockAt: (until: number | null) => Promise<void>
  /** Shows the person what waits. */
  show: () => void
  /** A window that shows what waits is about to close by itself. False if something waits: then it stays. */
  leave: (window: number) => Promise<boolean>
}

export class Core {
  readonly keys: Keys
  readonly networks: Networks
  readonly outbox: Outbox
  readonly sites: Sites
  readonly settings: SettingsSlot
  readonly requests: Requests

  constructor(readonly world: World) {
    const { local, session, now } = world
    this.keys = new Keys(local, session, world.means, now, async (until) => {
      await world.lockAt(until)
      world.changed()
    })
    this.networks = new Networks(local, now, world.changed, world.connect)
    this.outbox = new Outbox(local, world.changed)
    this.sites = new Sites(local, now)
    this.settings = new SettingsSlot(local)
    this.requests = new Requests(session, now)
  }

  /** How long the vault stays open without anybody. */
  async openFor(): Promise<number> {
    return (await this.settings.get()).lockMinutes * 60_000
  }

  /** The account in use, or null where there is none. */
  async account(): Promise<Account | null> {
    const [accounts, { account }] = await Promise.all([this.keys.accounts(), this.settings.get()])
    return accounts.find((a) => a.address === account) ?? accounts[0] ?? null
  }

  /** The accounts that a site sees now, the one in use first: none while the wallet is locked. */
  async visible(origin: string): Promise<Address[]> {
    if ((await this.keys.state()) !== 'open') return []
    return this.granted(origin)
  }

  /** The accounts that a site may see while the wallet is open, the one in use first. */
  async granted(origin: string): Promise<Address[]> {
    const [allowed, mine, current] = await Promise.all([this.sites.accounts(origin), this.keys.accounts(), this.account()])
    const there = allowed.filter((a) => mine.some((m) => m.address === a))
    return there.sort((a, b) => Number(b === current?.address) - Number(a === current?.address))
  }
}
