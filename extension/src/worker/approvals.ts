// What the person is shown before a yes, and what a yes does. A transaction is
// signed as it was shown, number and fees included, so that doing it again after
// a restart makes the same bytes: it can be in a block once.
import { hexToBytes, keccak256, parseTransaction, serializeTransaction, parseSignature, type Address, type Hex } from 'viem'
import { build, nextNonce, restoreTx, storeTx, type Wanted } from '../chain/build.js'
import { explain } from '../chain/reasons.js'
import { NodeError, quantity, Unreachable, type Ask as NodeAsk } from '../chain/rpc.js'
import { isBlind, Refused, type Intent, type Value } from '../intent/intent.js'
import { messageIntent } from '../intent/message.js'
import { coins } from '../intent/text.js'
import { title } from '../intent/title.js'
import { transactionIntent, type Tx } from '../intent/transaction.js'
import { typedIntent } from '../intent/typed.js'
import { answerOf, failed, internal } from '../provider/errors.js'
import { permission } from '../provider/provider.js'
import type { Ask, Request, WantedTx } from '../provider/requests.js'
import type { Core } from './core.js'
import { Locked, Unfit } from './keys.js'
import { NoNetwork } from './networks.js'
import type { Sent } from './outbox.js'
import { Turn } from './store.js'

/** An intent as pages get it. */
export interface Shown {
  kind: Intent['kind']
  title: string
  summary: string
  from: Address
  to: Address | null
  amount: string
  worth: string
  fields: Value[]
  warning: string
  blind: boolean
  digest: Hex
}

/** What the person decides on. */
export interface Review {
  key: string
  origin: string | null
  ask: Ask
  chainId: number
  network: string
  /** Null for what is no signature. */
  intent: Shown | null
  /** Why there can be no yes now; empty where there can be. */
  problem: string
  /** Names what was shown: a yes is for this alone. */
  shown: string
  balance: string | null
}

const wanted = (w: WantedTx): Wanted => {
  const n = (v: string | null) => (v === null ? null : BigInt(v))
  return { from: w.from, to: w.to, value: BigInt(w.value), data: w.data, gas: n(w.gas), maxFeePerGas: n(w.maxFeePerGas), maxPriorityFeePerGas: n(w.maxPriorityFeePerGas) }
}

const over = 'The transaction waits no more: see in the activity what became of it.'

/** A transaction with at least these fees. */
function dearer(tx: Tx, { cap, tip }: { cap: bigint; tip: bigint }): Tx {
  return { ...tx, maxFeePerGas: tx.maxFeePerGas > cap ? tx.maxFeePerGas : cap, maxPriorityFeePerGas: tx.maxPriorityFeePerGas > tip ? tx.maxPriorityFeePerGas : tip }
}

/** Whether what was shown is as good as what would be now: then it stays, as it should not change under the hand of who says yes. */
function still(before: Tx, now: Tx, replaces: boolean): boolean {
  const fees = [[before.maxFeePerGas, now.maxFeePerGas], [before.maxPriorityFeePerGas, now.maxPriorityFeePerGas]] as const
  // The cap is four times the base fee, so half of what it would be now is still enough. Another's place takes all of it.
  const enough = fees.every(([b, n]) => (replaces ? b >= n : 2n * b >= n) && b <= 2n * n)
  return enough && before.chainId === now.chainId && before.nonce === now.nonce && before.gas >= now.gas
}

export class Approvals {
  readonly #signing = new Turn()

  constructor(private readonly core: Core) {}

  /** What a request would do, as things stand now. */
  async review(key: string): Promise<Review | null> {
    const r = await this.core.requests.get(key)
    if (r?.state !== 'waiting') return null
    const network = await this.core.networks.current()
    const base = { key, origin: r.site?.origin ?? null, ask: r.ask, chainId: network.chainId ?? 0, network: network.name, intent: null, problem: '', shown: key, balance: null }
    if (r.ask.kind === 'connect' || r.ask.kind === 'switch' || r.ask.kind === 'add') return base
    try {
      const { chainId, ask } = await this.core.networks.ready()
      if (chainId !== r.chainId) return { ...base, problem: `This was asked on chain ${r.chainId}. The wallet is on another network now.` }
      return r.ask.kind === 'transaction' ? await this.#transaction(base, r, r.ask.wanted, r.ask.replaces, ask) : await this.#signature(base, r)
    } catch (e) {
      if (e instanceof NoNetwork || e instanceof Unreachable || e instanceof Refused) return { ...base, problem: e.message }
      throw e
    }
  }

  async #transaction(base: Review, r: Request, asked: WantedTx, replaces: Hex | undefined, ask: NodeAsk): Promise<Review> {
    const w = wanted(asked)
    const old = replaces === undefined ? undefined : await this.core.outbox.waiting(r.chainId, replaces)
    if (replaces !== undefined && !old) return { ...base, problem: over }
    const [balance, atNode] = await Promise.all([ask('eth_getBalance', [w.from, 'latest']).then(quantity), nextNonce(ask, w.from)])
    const nonce = old?.nonce ?? (await this.core.outbox.nextNonce(r.chainId, w.from, atNode))
    let problem = ''
    let tx: Tx
    try {
      tx = await build(ask, w, r.chainId, nonce)
      if (old) tx = dearer(tx, await this.core.outbox.outbid(old))
      const before = r.prepared && restoreTx(r.prepared)
      if (before && still(before, tx, old !== undefined)) tx = before
    } catch (e) {
      if (!(e instanceof NodeError)) throw e
      problem = /insufficient funds/i.test(e.message) || w.value > balance ? `Not enough: the account has ${coins(balance)}.` : `It would fail. ${explain(e)}`
      tx = { chainId: r.chainId, nonce, to: w.to, value: w.value, data: w.data, gas: 0n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }
    }
    const intent = transactionIntent(tx, w.from, r.chainId)
    problem ||= intent.worth > balance ? `Not enough: this takes up to ${coins(intent.worth)} with its fee, and the account has ${coins(balance)}.` : ''
    problem ||= await this.#blind(intent)
    if (!problem) await this.core.requests.prepare(r.key, storeTx(tx))
    return { ...base, intent: show(intent, tx), problem, shown: intent.digest, balance: String(balance) }
  }

  async #signature(base: Review, r: Request): Promise<Review> {
    const intent = this.#intent(r)
    return { ...base, intent: show(intent, null), problem: await this.#blind(intent), shown: intent.digest }
  }

  async #blind(i: Intent): Promise<string> {
    return isBlind(i) && !(await this.core.settings.get()).blind ? 'Nobody can tell what this does, and blind signing is turned off in the settings.' : ''
  }

  #intent(r: Request): Intent {
    const asker = r.site && { origin: r.site.origin, now: this.core.world.now() }
    if (r.ask.kind === 'typed') return typedIntent(r.ask.json, r.ask.from, r.chainId)
    if (r.ask.kind === 'message') return messageIntent(hexToBytes(r.ask.message), r.ask.from, r.chainId, asker)
    if (r.ask.kind === 'transaction' && r.prepared) return transactionIntent(restoreTx(r.prepared), r.ask.wanted.from, r.chainId)
    throw new Unfit('There is nothing to sign.')
  }

  /** The person's no. */
  async reject(key: string): Promise<void> {
    if (await this.core.requests.reject(key)) this.core.world.changed()
  }

  /** The person's yes to what was shown. Of several, one counts. */
  approve(key: string, shown: string, chosen: Address[]): Promise<void> {
    return this.#signing.take(async () => {
      const r = await this.core.requests.get(key)
      if (r?.state !== 'waiting') return
      if ((await this.core.keys.state()) !== 'open') throw new Locked()
      await this.#check(r, shown, chosen)
      if (await this.core.requests.approve(key, chosen)) await this.#perform({ ...r, state: 'approved', chosen })
    })
  }

  /** Sees to it that what is signed is what was shown, and still can be. */
  async #check(r: Request, shown: string, chosen: Address[]): Promise<void> {
    if (r.ask.kind === 'connect') {
      const mine = await this.core.keys.accounts()
      if (chosen.length === 0 || chosen.some((a) => !mine.some((m) => m.address === a))) throw new Unfit('Choose an account.')
      return
    }
    if (r.ask.kind === 'switch' || r.ask.kind === 'add') return
    const { chainId, ask } = await this.core.networks.ready()
    const intent = this.#intent(r)
    if (chainId !== r.chainId || intent.digest !== shown) throw new Unfit('It has changed meanwhile. Look at it again.')
    const problem = await this.#blind(intent)
    if (problem) throw new Unfit(problem)
    if (!r.prepared) return
    if (r.ask.kind === 'transaction' && r.ask.replaces !== undefined) {
      await this.core.outbox.refresh(chainId, ask)
      if (!(await this.core.outbox.waiting(chainId, r.ask.replaces))) throw new Unfit(over)
      return
    }
    const next = await this.core.outbox.nextNonce(chainId, intent.from, await nextNonce(ask, intent.from))
    if (next !== r.prepared.nonce) throw new Unfit('Another transaction of the account came in between. Look at this one again.')
  }

  /** Does what was approved before the worker ended, if it ended in between. */
  resume(): Promise<void> {
    return this.#signing.take(async () => {
      for (const r of await this.core.requests.all()) if (r.state === 'approved') await this.#perform(r)
    })
  }

  async #perform(r: Request): Promise<void> {
    let answer
    try {
      answer = { result: await this.#do(r) }
    } catch (e) {
      answer = answerOf(e instanceof NodeError ? failed(explain(e), e.data) : e instanceof Locked || e instanceof Unfit || e instanceof Unreachable || (e as Error).name === 'NotOurs' ? internal((e as Error).message) : e)
    }
    await this.core.requests.answer(r.key, answer)
    this.core.world.changed()
  }

  async #do(r: Request): Promise<unknown> {
    const { ask } = r
    switch (ask.kind) {
      case 'connect':
        await this.core.sites.grant(r.site!.origin, r.chosen)
        return ask.permissions ? permission(r.site!.origin, await this.core.granted(r.site!.origin)) : this.core.granted(r.site!.origin)
      case 'switch': {
        const found = (await this.core.networks.list()).find((n) => n.chainId === ask.chainId)
        if (found) await this.core.networks.select(found.id)
        return null
      }
      case 'add':
        await this.core.networks.add({ ...ask.network, coordinator: '', marketplace: '' })
        return null
      case 'typed':
      case 'message': {
        const intent = this.#intent(r)
        return this.core.keys.sign(intent.from, intent.digest)
      }
      case 'transaction':
        return this.#send(r, ask.wanted.from)
    }
  }

  async #send(r: Request, from: Address): Promise<Hex> {
    const tx = restoreTx(r.prepared!)
    const intent = this.#intent(r)
    const sent = (await this.core.outbox.signed(intent.digest)) ?? (await this.#keep(r, tx, intent, from))
    const network = (await this.core.networks.list()).find((n) => n.chainId === tx.chainId)
    if (network) await this.core.outbox.offer(this.core.world.connect(network.rpc), sent)
    return sent.hash
  }

  async #keep(r: Request, tx: Tx, intent: Intent, from: Address): Promise<Sent> {
    const signature = parseSignature(await this.core.keys.sign(from, intent.digest))
    const raw = serializeTransaction({ type: 'eip1559', ...tx, to: tx.to ?? undefined }, signature)
    const sent: Sent = {
      hash: keccak256(raw), raw, digest: intent.digest, chainId: tx.chainId, from, to: tx.to, nonce: tx.nonce, value: String(tx.value), summary: title(intent, tx),
      origin: r.site?.origin ?? null, at: this.core.world.now(), state: 'pending', height: null, why: '',
    }
    await this.core.outbox.keep(sent)
    return sent
  }
}

function show(i: Intent, tx: Tx | null): Shown {
  const { kind, summary, from, to, fields, warning, digest } = i
  return { kind, title: title(i, tx), summary, from, to, amount: String(i.amount), worth: String(i.worth), fields, warning, blind: isBlind(i), digest }
}

/** What takes the place of a transaction that waits: the same, or nothing. */
export function replacement(of: Sent, how: 'faster' | 'cancel'): Ask {
  if (how === 'cancel') return ownTransaction(of.from, of.from, 0n, '0x', of.hash)
  const t = parseTransaction(of.raw)
  return { kind: 'transaction', replaces: of.hash, wanted: { from: of.from, to: of.to, value: of.value, data: t.data ?? '0x', gas: String(t.gas), maxFeePerGas: null, maxPriorityFeePerGas: null } }
}

/** What a request for a plain payment, or a call of the wallet's own pages, looks like. */
export function ownTransaction(from: Address, to: Address, value: bigint, data: Hex = '0x', replaces?: Hex): Ask {
  return { kind: 'transaction', wanted: { from, to, value: String(value), data, gas: null, maxFeePerGas: null, maxPriorityFeePerGas: null }, ...(replaces ? { replaces } : {}) }
}

