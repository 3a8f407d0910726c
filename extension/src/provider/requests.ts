// Requests of sites that wait for the person: a state machine, kept in storage
// that outlives the worker. Each is decided once and answered once, however often
// the page or the worker come back.
import type { Address, Hex } from 'viem'
import type { StoredTx } from '../chain/build.js'
import { Slot, type Area } from '../worker/store.js'
import { rejected, answerOf, type Answer } from './errors.js'
import type { Proposed } from './params.js'

/** Who asks. The browser says so, not the page. */
export interface Site {
  origin: string
  tabId: number
  documentId: string
}

/** A transaction as it is asked for. */
export interface WantedTx {
  from: Address
  to: Address | null
  value: string
  data: Hex
  gas: string | null
  maxFeePerGas: string | null
  maxPriorityFeePerGas: string | null
}

export type Ask =
  | { kind: 'connect'; permissions: boolean } // answered with accounts, or with permissions as in EIP-2255
  | { kind: 'transaction'; wanted: WantedTx; replaces?: Hex } // of the wallet's own pages: the transaction whose place it takes
  | { kind: 'typed'; from: Address; json: string }
  | { kind: 'message'; from: Address; message: Hex }
  | { kind: 'switch'; chainId: number }
  | { kind: 'add'; network: Proposed }

export interface Request {
  /** Of the document and of the page's request: a repetition has the same. */
  key: string
  /** Null for what the wallet's own pages ask. */
  site: Site | null
  ask: Ask
  at: number
  /** waiting → approved → answered, or waiting → answered. */
  state: 'waiting' | 'approved' | 'answered'
  /** The chain that it was asked on. */
  chainId: number
  /** What the person saw last and would sign. */
  prepared: StoredTx | null
  /** The accounts that were chosen for a connection. */
  chosen: Address[]
  answer: Answer | null
}

/** How many may wait: of one site, and in all. */
const perSite = 5
const inAll = 30
/** How long an answer is kept for a page that does not fetch it. */
const keep = 10 * 60_000

export type Entered = { state: 'new' | 'waiting' | 'full' } | { state: 'answered'; answer: Answer }

export class Requests {
  readonly #all: Slot<Request[]>

  constructor(session: Area, private readonly now: () => number) {
    this.#all = new Slot<Request[]>(session, 'requests', () => [])
  }

  all(): Promise<Request[]> {
    return this.#all.get()
  }

  async get(key: string): Promise<Request | null> {
    return (await this.#all.get()).find((r) => r.key === key) ?? null
  }

  /** What became of a request that came before, or null. */
  async known(key: string): Promise<Entered | null> {
    const r = await this.get(key)
    return r && entered(r)
  }

  /** Notes a request, unless it is there. */
  enter(key: string, site: Site | null, ask: Ask, chainId: number): Promise<Entered> {
    return this.#all.change((all): [Request[], Entered] => {
      const there = all.find((r) => r.key === key)
      if (there) return [all, entered(there)]
      const now = this.now()
      // The wallet's own pages show one thing at a time.
      const kept = all.filter((r) => (r.state !== 'answered' || now - r.at < keep) && !(site === null && r.site === null && r.state === 'waiting'))
      const waiting = kept.filter((r) => r.site && r.state !== 'answered')
      const same = waiting.filter((r) => r.site!.origin === site?.origin)
      if (site && (same.length >= perSite || waiting.length >= inAll || same.some((r) => ask.kind === 'connect' && r.ask.kind === 'connect'))) return [all, { state: 'full' }]
      return [[...kept, { key, site, ask, at: now, state: 'waiting', chainId, prepared: null, chosen: [], answer: null }], { state: 'new' }]
    })
  }

  /** Notes what the person is shown. */
  prepare(key: string, prepared: StoredTx): Promise<boolean> {
    return this.#step(key, 'waiting', (r) => ({ ...r, prepared }))
  }

  /** The person's yes. True for the one call that made it so. */
  approve(key: string, chosen: Address[] = []): Promise<boolean> {
    return this.#step(key, 'waiting', (r) => ({ ...r, state: 'approved', chosen }))
  }

  /** The person's no, or the end of who asked. */
  reject(key: string, why: unknown = rejected()): Promise<boolean> {
    return this.#step(key, 'waiting', (r) => ({ ...r, state: 'answered', answer: answerOf(why), at: this.now() }))
  }

  /** The answer to what was approved. */
  answer(key: string, answer: Answer): Promise<boolean> {
    return this.#step(key, 'approved', (r) => ({ ...r, state: 'answered', answer, at: this.now() }))
  }

  /** Forgets an answer that its page has, or what a page asked that is gone. What was approved goes on. */
  async forget(gone: (r: Request) => boolean): Promise<void> {
    await this.#all.change((all): [Request[], undefined] => {
      const kept = all.filter((r) => r.state === 'approved' || !gone(r))
      return [kept.length === all.length ? all : kept, undefined]
    })
  }

  #step(key: string, from: Request['state'], to: (r: Request) => Request): Promise<boolean> {
    return this.#all.change((all): [Request[], boolean] => {
      const there = all.find((r) => r.key === key)
      if (there?.state !== from) return [all, false]
      return [all.map((r) => (r === there ? to(r) : r)), true]
    })
  }
}

function entered(r: Request): Entered {
  return r.answer ? { state: 'answered', answer: r.answer } : { state: 'waiting' }
}
