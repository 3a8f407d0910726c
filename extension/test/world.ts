// A world for the wallet without a browser: storage in memory, a node that
// answers as it is told, a clock that is moved by hand.
import { encodeAbiParameters, keccak256, parseTransaction, type Address, type Hex } from 'viem'
import { NodeError, Unreachable, type Ask } from '../src/chain/rpc.js'
import { keyOfHex } from '../src/crypto/phrase.js'
import { marketPredeploy } from '../src/chain/predeploys.js'
import { Provider } from '../src/provider/provider.js'
import type { Site } from '../src/provider/requests.js'
import { Approvals } from '../src/worker/approvals.js'
import { commands, type Commands } from '../src/worker/commands.js'
import { Core, type World } from '../src/worker/core.js'
import type { Area } from '../src/worker/store.js'
import { means } from './means.js'

export const chainId = 2 ** 45
export const phrase = 'test test test test test test test test test test test junk'
/** The keys of the test phrase's first accounts. */
export const keys = ['0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80', '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'] as const
export const me: Address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
export const second: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
export const passphrase = 'correct horse'

/** Storage that a test can have fail. */
export class Memory implements Area {
  stored: Record<string, unknown> = {}
  /** Fails the n-th write from now on, before anything is written. */
  failAt = -1
  /** After so many writes, of all areas that share it, nothing is written any more. */
  fuse: { left: number } | null = null

  async get(key: string) {
    return Object.hasOwn(this.stored, key) ? structuredClone({ [key]: this.stored[key] }) : {}
  }

  async set(items: Record<string, unknown>) {
    this.#write()
    Object.assign(this.stored, structuredClone(items))
  }

  async remove(key: string) {
    this.#write()
    delete this.stored[key]
  }

  #write() {
    if (this.fuse && this.fuse.left-- <= 0) throw new Error('the worker is dead')
    if (this.failAt >= 0 && this.failAt-- === 0) throw new Error('the disk is full')
  }
}

/** A node with one account's numbers; sent transactions are in a block when it is told so. */
export class Node {
  chainId = chainId
  online = true
  ours = true
  balance = 10n ** 20n
  sent: Hex[] = []
  asked: string[] = []
  mined = 0
  refuse: Record<string, Error> = {}
  base = 7n

  /** How many numbers are taken: several transactions may have the same. */
  numbers = () => new Set(this.sent.map((raw) => (raw.startsWith('0x02') ? (parseTransaction(raw).nonce ?? 0) : raw))).size

  ask: Ask = async (method, params = []) => {
    this.asked.push(method)
    if (!this.online) throw new Unreachable('It does not answer.')
    if (this.refuse[method]) throw this.refuse[method]
    const hex = (n: bigint | number) => `0x${n.toString(16)}`
    switch (method) {
      case 'eth_chainId':
        return hex(this.chainId)
      case 'eth_call':
        if (!this.ours) return '0x'
        return encodeAbiParameters(
          [{ type: 'bytes1' }, { type: 'string' }, { type: 'string' }, { type: 'uint256' }, { type: 'address' }, { type: 'bytes32' }, { type: 'uint256[]' }],
          ['0x0f', 'AITBC', '1', BigInt(this.chainId), marketPredeploy.address, `0x${'0'.repeat(64)}`, []],
        )
      case 'eth_getBalance':
        return hex(this.balance)
      case 'eth_getTransactionCount':
        return hex(params[1] === 'latest' ? this.mined : this.numbers())
      case 'eth_getBlockByNumber':
        return { baseFeePerGas: hex(this.base) }
      case 'eth_maxPriorityFeePerGas':
        return '0x1'
      case 'eth_estimateGas':
        return '0x5208'
      case 'eth_blockNumber':
        return '0x10'
      case 'eth_sendRawTransaction': {
        const raw = params[0] as Hex
        if (this.sent.includes(raw)) throw new NodeError(-32000, 'already known')
        this.sent.push(raw)
        return keccak256(raw)
      }
      case 'eth_getTransactionByHash':
        return this.sent.some((raw) => keccak256(raw) === params[0]) ? { hash: params[0] } : null
      case 'eth_getTransactionReceipt':
        return this.sent.slice(0, this.mined).some((raw) => keccak256(raw) === params[0]) ? { status: '0x1', blockNumber: '0x9' } : null
    }
    throw new NodeError(-32601, `the method ${method} does not exist`)
  }
}

export interface Bench {
  node: Node
  local: Memory
  session: Memory
  clock: { now: number }
  shown: number
  core: Core
  approvals: Approvals
  provider: Provider
  commands: Commands
  /** The worker ends and another begins: all that it knew is gone but storage. */
  restart: () => void
}

export function bench(): Bench {
  const node = new Node()
  const b = { node, local: new Memory(), session: new Memory(), clock: { now: Date.parse('2026-11-27T00:00:00Z') }, shown: 0 } as Bench
  b.restart = () => {
    const world: World = {
      local: b.local, session: b.session, means, now: () => b.clock.now, connect: () => node.ask, changed: () => undefined, lockAt: async () => undefined,
      leave: async () => true,
      show: () => {
        b.shown++
      },
    }
    b.core = new Core(world)
    b.approvals = new Approvals(b.core)
    b.provider = new Provider(b.core)
    b.commands = commands(b.core, b.approvals)
  }
  b.restart()
  return b
}

/** A bench with an open wallet of one key: keys of phrases take longer to derive. */
export async function opened(): Promise<Bench> {
  const b = bench()
  await b.core.keys.create({ key: keyOfHex(keys[0]) }, passphrase, 60_000)
  await b.core.networks.ready()
  return b
}

export const site: Site = { origin: 'https://market.example', tabId: 1, documentId: 'D1' }

let next = 0

/** Asks as a site does, under a new name. */
export function ask(b: Bench, method: string, params?: unknown, from: Site = site) {
  return b.provider.handle(from, `${from.documentId}/${++next}`, method, params)
}

/** The one request that waits. */
export async function waiting(b: Bench) {
  const all = (await b.core.requests.all()).filter((r) => r.state === 'waiting')
  if (all.length !== 1) throw new Error(`${all.length} requests wait`)
  return all[0]!
}

/** Says yes to the one request that waits, as it is shown. */
export async function agree(b: Bench, chosen: Address[] = []) {
  const { key } = await waiting(b)
  const review = await b.approvals.review(key)
  await b.approvals.approve(key, review!.shown, chosen)
  return (await b.core.requests.get(key))!.answer!
}

/** Connects the site to the first account. */
export async function connect(b: Bench, from: Site = site) {
  await ask(b, 'eth_requestAccounts', [], from)
  return agree(b, [me])
}
