// What the wallet's own pages can have done.
import { entropyToMnemonic } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english'
import { getAddress, type Address, type Hex } from 'viem'
import { openKeyFile } from '../crypto/keystore.js'
import { entropyOf, keyOfHex } from '../crypto/phrase.js'
import { goodURL, type Network } from '../chain/network.js'
import { predeploys } from '../chain/predeploys.js'
import { getJSON, quantity } from '../chain/rpc.js'
import { readAddress } from '../intent/address.js'
import { line } from '../intent/text.js'
import type { Account } from '../vault/vault.js'
import type { Permission } from '../provider/sites.js'
import { ownTransaction, replacement, type Approvals, type Review } from './approvals.js'
import type { Ask } from '../provider/requests.js'
import type { Core } from './core.js'
import { drip, faucetState, firstCoins, type FaucetState } from './faucet.js'
import { history, type History } from './history.js'
import { Unfit, type Locking } from './keys.js'
import type { Health } from './networks.js'
import { lockChoices, type Settings } from './settings.js'

/** How the wallet stands. */
export interface Status {
  locking: Locking
  /** Milliseconds until a passphrase may be tried. */
  wait: number
  accounts: Account[]
  account: Account | null
  hasPhrase: boolean
  settings: Settings
  network: Network
  networks: Network[]
  /** Requests of sites that wait, oldest first. */
  waiting: { key: string; origin: string }[]
}

export type Source = { kind: 'phrase'; phrase: string } | { kind: 'hex'; key: string } | { kind: 'file'; file: string; passphrase: string }

/** All that can be asked, by name. Arguments and results travel as JSON. */
export interface Commands {
  status(): Promise<Status>
  health(): Promise<Health>
  newPhrase(words: 12 | 24): Promise<string>
  create(from: Source, passphrase: string): Promise<void>
  importMore(from: Source): Promise<void>
  unlock(passphrase: string): Promise<void>
  lock(): Promise<void>
  touch(): Promise<void>
  destroy(): Promise<void>
  changePassphrase(old: string, next: string): Promise<void>
  reveal(passphrase: string, of: 'phrase' | Address): Promise<string>
  addAccount(): Promise<void>
  renameAccount(address: Address, name: string): Promise<void>
  removeAccount(address: Address): Promise<void>
  useAccount(address: Address): Promise<void>
  balance(address: Address): Promise<string>
  history(address: Address): Promise<History>
  labels(): Promise<Record<string, string>>
  faucet(address: Address): Promise<FaucetState>
  /** Has the network's marketplace give an account that is empty its first coins. */
  firstCoins(to: Address): Promise<void>
  /** Begins a transaction of the wallet's own; what it returns is reviewed. */
  askDrip(to: Address): Promise<string>
  askSend(from: Address, to: string, units: string): Promise<string>
  /** Begins what takes the place of a transaction that waits: the same with higher fees, or nothing to oneself. */
  askReplace(hash: Hex, how: 'faster' | 'cancel'): Promise<string>
  review(key: string): Promise<Review | null>
  approve(key: string, shown: string, chosen: Address[]): Promise<void>
  reject(key: string): Promise<void>
  leave(window: number): Promise<boolean>
  outcome(key: string): Promise<{ hash: Hex } | { error: string } | null>
  sites(): Promise<Permission[]>
  revoke(origin: string): Promise<void>
  setLock(minutes: number): Promise<void>
  setBlind(on: boolean): Promise<void>
  useNetwork(id: string): Promise<void>
  acceptChain(id: string): Promise<void>
  saveNetwork(id: string | null, n: NetworkForm): Promise<void>
  removeNetwork(id: string): Promise<void>
}

async function read(from: Source): Promise<{ entropy: Uint8Array } | { key: Uint8Array }> {
  if (from.kind === 'phrase') return { entropy: entropyOf(from.phrase) }
  return { key: from.kind === 'hex' ? keyOfHex(from.key) : await openKeyFile(from.file, from.passphrase) }
}

/** A network as the person writes it. */
export type NetworkForm = Omit<Network, 'id' | 'chainId'>

function networkOf(n: NetworkForm): NetworkForm {
  const url = (text: string, what: string) => {
    if (text.trim() === '') return ''
    const good = goodURL(text)
    if (good === null) throw new Unfit(`${what} is no https URL, nor one of this machine.`)
    return good
  }
  const rpc = url(n.rpc, 'The node')
  if (!rpc) throw new Unfit('A network needs a node.')
  const [explorer, coordinator, marketplace] = [url(n.explorer, 'The explorer'), url(n.coordinator, 'The coordinator'), url(n.marketplace, 'The marketplace')]
  return { name: line(n.name, 40) || new URL(rpc).host, rpc, explorer, coordinator, marketplace }
}

/** The commands of a wallet. */
export function commands(core: Core, approvals: Approvals): Commands {
  const { keys, networks, outbox, requests, settings, sites, world } = core
  let coordinators: { url: string; at: number; address: Address | null } | null = null

  // The coordinator's address, so that a deposit says to whom it goes.
  async function coordinator(network: Network): Promise<Address | null> {
    if (!network.coordinator || network.chainId === null) return null
    if (coordinators?.url === network.coordinator && world.now() - coordinators.at < 60_000) return coordinators.address
    const found = (await getJSON(`${network.coordinator}/v1/network`).catch(() => null)) as { chain_id?: unknown; coordinator?: unknown } | null
    const good = found?.chain_id === network.chainId && typeof found.coordinator === 'string' && /^0x[0-9a-f]{40}$/i.test(found.coordinator)
    coordinators = { url: network.coordinator, at: world.now(), address: good ? getAddress((found.coordinator as string).toLowerCase()) : null }
    return coordinators.address
  }

  async function enter(ask: Ask, chainId: number): Promise<string> {
    const key = `own/${crypto.randomUUID()}`
    await requests.enter(key, null, ask, chainId)
    return key
  }

  async function own(from: Address, to: Address, value: bigint, data?: Hex): Promise<string> {
    return enter(ownTransaction(from, to, value, data), (await networks.ready()).chainId)
  }

  return {
    async status() {
      const [locking, wait, accounts, account, hasPhrase, chosen, network, list, all] = await Promise.all([
        keys.state(), keys.wait(), keys.accounts(), core.account(), keys.hasPhrase(), settings.get(), networks.current(), networks.list(), requests.all(),
      ])
      const waiting = all.filter((r) => r.site && r.state === 'waiting').map((r) => ({ key: r.key, origin: r.site!.origin }))
      return { locking, wait, accounts, account, hasPhrase, settings: chosen, network, networks: list, waiting }
    },
    health: () => networks.health(),
    newPhrase: async (words) => entropyToMnemonic(world.means.random(words === 12 ? 16 : 32), wordlist),
    create: async (from, passphrase) => keys.create(await read(from), passphrase, await core.openFor()),
    async importMore(from) {
      const found = await read(from)
      await ('entropy' in found ? keys.importPhrase(found.entropy) : keys.importKey(found.key))
      world.changed()
    },
    async unlock(passphrase) {
      await keys.unlock(passphrase, await core.openFor())
      // Who is connected already waited only for this.
      for (const r of await requests.all()) {
        if (r.state === 'waiting' && r.ask.kind === 'connect' && !r.ask.permissions && r.site) {
          const granted = await core.granted(r.site.origin)
          if (granted.length > 0) await approvals.approve(r.key, r.key, granted)
        }
      }
    },
    lock: () => keys.lock(),
    touch: async () => keys.touch(await core.openFor()),
    async destroy() {
      await keys.destroy()
      for (const p of await sites.list()) await sites.revoke(p.origin)
      world.changed()
    },
    changePassphrase: (old, next) => keys.changePassphrase(old, next),
    reveal: (passphrase, of) => keys.reveal(passphrase, of),
    async addAccount() {
      await keys.addAccount()
      await settings.change({ account: (await keys.accounts()).at(-1)!.address })
      world.changed()
    },
    async renameAccount(address, name) {
      const text = line(name, 30)
      if (!text) throw new Unfit('A name has a letter at least.')
      await keys.rename(address, text)
      world.changed()
    },
    async removeAccount(address) {
      await keys.remove(address)
      await sites.forget(address)
      world.changed()
    },
    async useAccount(address) {
      await settings.change({ account: address })
      world.changed()
    },
    async balance(address) {
      const { ask } = await networks.ready()
      return String(quantity(await ask('eth_getBalance', [address, 'latest'])))
    },
    async history(address) {
      const { chainId, ask, network } = await networks.ready()
      await outbox.refresh(chainId, ask)
      return history(network, chainId, address, await outbox.list(chainId, address))
    },
    async labels() {
      const [accounts, network] = await Promise.all([keys.accounts(), networks.current()])
      const at = await coordinator(network)
      return Object.fromEntries([...predeploys.map((p) => [p.address, p.name]), ...(at ? [[at, 'this network’s coordinator']] : []), ...accounts.map((a) => [a.address, a.name])])
    },
    async faucet(address) {
      const { ask, network } = await networks.ready()
      return faucetState(ask, network, address, (await keys.accounts()).map((a) => a.address))
    },
    async firstCoins(to) {
      await firstCoins((await networks.ready()).network, to)
      world.changed()
    },
    async askDrip(to) {
      const { ask, network } = await networks.ready()
      const { payer } = await faucetState(ask, network, to, (await keys.accounts()).map((a) => a.address))
      if (!payer) throw new Unfit('No account of this wallet has a coin to pay for asking the faucet.')
      const call = drip(to)
      return own(payer, call.to, 0n, call.data)
    },
    async askSend(from, to, units) {
      if (!/^\d{1,39}$/.test(units)) throw new Unfit('This is no amount.')
      let address: Address
      try {
        address = readAddress(to)
      } catch (e) {
        throw new Unfit((e as Error).message)
      }
      return own(from, address, BigInt(units))
    },
    async askReplace(hash, how) {
      const { chainId, ask } = await networks.ready()
      await outbox.refresh(chainId, ask)
      const old = await outbox.waiting(chainId, hash)
      if (!old) throw new Unfit('It waits no more.')
      return enter(replacement(old, how), chainId)
    },
    review: (key) => approvals.review(key),
    approve: (key, shown, chosen) => approvals.approve(key, shown, chosen),
    reject: (key) => approvals.reject(key),
    leave: (window) => world.leave(window),
    async outcome(key) {
      const answer = (await requests.get(key))?.answer
      if (!answer) return null
      return 'error' in answer ? { error: answer.error.message } : { hash: answer.result as Hex }
    },
    sites: () => sites.list(),
    async revoke(origin) {
      await sites.revoke(origin)
      world.changed()
    },
    async setLock(minutes) {
      if (!lockChoices.includes(minutes)) throw new Unfit('There is no such choice.')
      await settings.change({ lockMinutes: minutes })
      await keys.touch(minutes * 60_000)
    },
    async setBlind(on) {
      await settings.change({ blind: on })
      world.changed()
    },
    useNetwork: (id) => networks.select(id),
    acceptChain: (id) => networks.accept(id),
    saveNetwork: (id, n) => (id === null ? networks.add({ ...networkOf(n), chainId: null }) : networks.edit(id, networkOf(n))),
    removeNetwork: (id) => networks.remove(id),
  }
}
