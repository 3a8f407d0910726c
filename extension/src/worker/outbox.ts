// What was sent: kept before it is offered to a node, and offered again, always
// the same bytes, until it is in a block. It can be in a block once.
import { parseTransaction, type Address, type Hex } from 'viem'
import { explain } from '../chain/reasons.js'
import { hexOf, NodeError, quantity, type Ask } from '../chain/rpc.js'
import { Slot, Turn, type Area } from './store.js'

export type SentState = 'pending' | 'included' | 'failed' | 'replaced' | 'refused'

export interface Sent {
  hash: Hex
  raw: Hex
  /** What was signed. */
  digest: Hex
  chainId: number
  from: Address
  to: Address | null
  nonce: number
  value: string
  summary: string
  /** The site that asked, or null. */
  origin: string | null
  at: number
  state: SentState
  height: number | null
  why: string
}

const most = 300

/** The node has taken it already. */
const taken = (e: unknown) => e instanceof NodeError && /already known|already imported/i.test(e.message)

const sameNumber = (a: Sent, b: Sent) => a.chainId === b.chainId && a.from === b.from && a.nonce === b.nonce

/** Whether another that waits, among all that do in the order in which they were sent, came in a transaction's place. */
export function isSuperseded(s: Sent, pending: Sent[]): boolean {
  return pending.findLast((x) => sameNumber(x, s)) !== pending.find((x) => x.hash === s.hash)
}

export class Outbox {
  readonly #all: Slot<Sent[]>
  readonly #turn = new Turn()

  constructor(local: Area, private readonly changed: () => void) {
    this.#all = new Slot<Sent[]>(local, 'sent', () => [])
  }

  /** What an account has sent on a chain, newest first. */
  async list(chainId: number, from: Address): Promise<Sent[]> {
    return (await this.#all.get()).filter((s) => s.chainId === chainId && s.from === from).reverse()
  }

  /** What was made of a digest before, if it was signed already. */
  async signed(digest: Hex): Promise<Sent | undefined> {
    return (await this.#all.get()).find((s) => s.digest === digest)
  }

  async pending(): Promise<Sent[]> {
    return (await this.#all.get()).filter((s) => s.state === 'pending')
  }

  /** A transaction that waits, which another could take the place of. */
  async waiting(chainId: number, hash: Hex): Promise<Sent | undefined> {
    return (await this.pending()).find((s) => s.chainId === chainId && s.hash === hash)
  }

  /** The fees with which a node takes another transaction with the number of one that waits: an eighth more than all that were offered. */
  async outbid(of: Sent): Promise<{ cap: bigint; tip: bigint }> {
    const rivals = (await this.pending()).filter((s) => sameNumber(s, of)).map((s) => parseTransaction(s.raw))
    const most = (list: (bigint | undefined)[]) => list.reduce<bigint>((a, b) => ((b ?? 0n) > a ? b! : a), 0n)
    const more = (n: bigint) => (n * 9n + 7n) / 8n
    return { cap: more(most(rivals.map((t) => t.maxFeePerGas))), tip: more(most(rivals.map((t) => t.maxPriorityFeePerGas))) }
  }

  /** The first number that nothing of ours takes. */
  async nextNonce(chainId: number, from: Address, atNode: number): Promise<number> {
    const mine = (await this.pending()).filter((s) => s.chainId === chainId && s.from === from).map((s) => s.nonce + 1)
    return Math.max(atNode, ...mine)
  }

  /** Keeps a signed transaction; the same one only once. */
  async keep(s: Sent): Promise<void> {
    await this.#all.change((all): [Sent[], undefined] => {
      if (all.some((x) => x.hash === s.hash)) return [all, undefined]
      const settled = all.filter((x) => x.state !== 'pending')
      const spare = new Set(settled.slice(0, Math.max(0, all.length + 1 - most)))
      return [[...all.filter((x) => !spare.has(x)), s], undefined]
    })
    this.changed()
  }

  async #mark(hash: Hex, state: SentState, height: number | null, why: string): Promise<void> {
    await this.#all.change((all): [Sent[], undefined] => [all.map((s) => (s.hash === hash && s.state !== state ? { ...s, state, height, why } : s)), undefined])
    this.changed()
  }

  /** Offers a kept transaction to a node. A refusal ends it and is thrown; a node that does not answer is asked again later. */
  async offer(ask: Ask, s: Pick<Sent, 'hash' | 'raw'>): Promise<void> {
    try {
      await ask('eth_sendRawTransaction', [s.raw])
    } catch (e) {
      if (!(e instanceof NodeError) || taken(e)) return
      if (/nonce too low/i.test(e.message) && (await ask('eth_getTransactionReceipt', [s.hash]).catch(() => null))) return
      await this.#mark(s.hash, 'refused', null, explain(e))
      throw e
    }
  }

  /** Looks what became of what waits, and offers again what the node has lost. */
  refresh(chainId: number, ask: Ask): Promise<void> {
    return this.#turn.take(async () => {
      for (const s of await this.pending()) if (s.chainId === chainId) await this.#look(ask, s)
    })
  }

  async #look(ask: Ask, s: Sent): Promise<void> {
    if (await this.#landed(ask, s)) return
    if (await ask('eth_getTransactionByHash', [s.hash])) return
    const used = Number(quantity(await ask('eth_getTransactionCount', [s.from, 'latest'])))
    // What another is to take the place of is not offered again: a node would refuse it for its lower fees.
    if (used <= s.nonce) await (isSuperseded(s, await this.pending()) ? undefined : this.offer(ask, s).catch(() => undefined))
    else if (!(await this.#landed(ask, s))) await this.#mark(s.hash, 'replaced', null, 'Another transaction with this number is in a block.')
  }

  async #landed(ask: Ask, s: Sent): Promise<boolean> {
    const r = (await ask('eth_getTransactionReceipt', [s.hash])) as { status?: string; blockNumber?: string } | null
    if (!r) return false
    const height = Number(quantity(r.blockNumber))
    const ok = r.status === '0x1'
    await this.#mark(s.hash, ok ? 'included' : 'failed', height, ok ? '' : await this.#why(ask, s, height))
    return true
  }

  // The call once more, on the state before its block, tells the reason.
  async #why(ask: Ask, s: Sent, height: number): Promise<string> {
    const tx = (await ask('eth_getTransactionByHash', [s.hash]).catch(() => null)) as { to?: string; value?: string; input?: string; gas?: string } | null
    if (!tx) return 'It failed in its block.'
    try {
      await ask('eth_call', [{ from: s.from, to: tx.to, value: tx.value, data: tx.input, gas: tx.gas }, hexOf(height - 1)])
      return 'It failed in its block.'
    } catch (e) {
      return e instanceof NodeError ? explain(e) : 'It failed in its block.'
    }
  }
}
