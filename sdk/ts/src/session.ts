// A session whose orders and vouchers its client signs: docs/PROTOCOL.md section 7.
import { concat, isAddressEqual, stringToBytes, zeroHash, type Address, type Hex } from 'viem'
import type { Ask, Bundle, JobEvent, Quote, Result } from './api.js'
import { base64, classHash, inputCommitment, minersHash, Output, randomSalt } from './commit.js'
import { ApiError, type Coordinator } from './coordinator.js'
import { price } from './price.js'
import { fingerprint, fromBase64, maxMiners, seal, type SealedAnswer } from './sealed.js'
import { digest, sign, signerOf, type Domain, type Order, type Signer, type Voucher } from './typed.js'
import { Disagreement, verifySigned } from './verify.js'

/** Says whose signatures count; {@link Market.keys} asks the chain. */
export interface Keys {
  minerKey(miner: Address, key: Address): Promise<boolean>
  coordinatorKey(coordinator: Address, key: Address): Promise<boolean>
  /** The hash of the key that jobs for the miner are sealed to, zero if it has none. */
  sealingKey(miner: Address): Promise<Hex>
}

/** An order that was taken. The salt opens the receipt's commitments: keep it private. */
export interface Ordered {
  job: Hex
  order: Order
  salt: Uint8Array
  quote: Quote
  /** How the answer opens; empty if the coordinator may read it. */
  answers: SealedAnswer[]
}

/** What came of an order. */
export interface Answer {
  result: Result
  /** Missing if nothing was delivered. */
  receipt?: Bundle
  /** Whether the pieces that came are those that the receipt commits to; false if they were not seen one by one. */
  matches: boolean
}

const perMessage = 16
const bytesIn = (text: string) => stringToBytes(text).length

/** A number of tokens that the prompt cannot exceed. */
function promptBound(a: Ask): number {
  return (
    perMessage +
    bytesIn(a.prompt ?? '') +
    (a.input ?? []).reduce((n, text) => n + bytesIn(text) + perMessage, 0) +
    (a.messages ?? []).reduce((n, m) => n + bytesIn(m.content) + perMessage, 0)
  )
}

/** What the miner is sent, and what of it all may know if it is sealed. */
function requestOf(a: Ask, maxTokens: number, maxSeconds: number | undefined) {
  const milli = (v: number | undefined) => Math.round((v ?? 1) * 1000)
  const seed = a.seed ?? crypto.getRandomValues(new BigUint64Array(1))[0]!
  const sampling = { max_tokens: maxTokens, max_seconds: maxSeconds, temperature_milli: milli(a.temperature), top_p_milli: milli(a.top_p), top_k: a.top_k ?? 0, seed: String(seed) }
  const content = { prompt: a.prompt, messages: a.messages, input: a.input, stop: a.stop, grammar: a.grammar, logprobs: a.logprobs, top_logprobs: a.top_logprobs }
  const shared = { v: 1, model: a.model, ...sampling }
  return { bytes: stringToBytes(JSON.stringify({ ...shared, ...content })), shared }
}

const sendings = 5
const signings = 16 // for one job, if the coordinator says that the number was taken
const slack = 120

/** The most that a job may cost with any of some offers. */
function dearest(a: Ask, bound: number, q: Quote, offers: Quote['offers']): bigint {
  const usage = { promptTokens: BigInt(bound), completionTokens: BigInt(q.max_tokens), computeMillis: BigInt(q.max_seconds ?? 0) * 1_000n, items: BigInt(Math.max(1, a.input?.length ?? 0)) }
  const costs = offers.map((x) => price({ prompt: BigInt(x.prompt_rate), completion: BigInt(x.completion_rate), second: BigInt(x.second_rate ?? 0), item: BigInt(x.item_rate ?? 0) }, usage))
  return costs.reduce((most, x) => (x > most ? x : most), 0n)
}

/** Spends from a session whose spender key is here and nowhere else. */
export class Session {
  #ordering: Promise<unknown> = Promise.resolve()

  private constructor(
    readonly id: number,
    private readonly coordinator: Coordinator,
    private readonly domain: Domain,
    private readonly spender: Signer,
    private readonly keys: Keys | undefined,
    private readonly plain: boolean,
  ) {}

  /**
   * The session of the coordinator's API key; its spender must be the signer.
   * The domain is that of the network that the caller trusts. With keys,
   * receipts are checked against the chain before a voucher pays for them, and
   * jobs are sealed to the miners that may run them. plain lets the coordinator
   * read prompts and answers.
   */
  static async of(coordinator: Coordinator, domain: Domain, spender: Signer, o: { keys?: Keys; plain?: boolean }): Promise<Session> {
    if (!o.keys && !o.plain) throw new Error('sealed jobs need keys that say which sealing keys are right; plain lets the coordinator read')
    const a = await coordinator.account()
    if (a.mode !== 'self' || !isAddressEqual(a.spender, spender.address)) {
      throw new Error(`session ${a.session} is ${a.mode} and its spender is ${a.spender}, not ${spender.address}`)
    }
    return new Session(a.session, coordinator, domain, spender, o.keys, o.plain ?? false)
  }

  /** Signs an order for what is asked, if the coordinator's terms allow it, and sends it. One at a time. */
  submit(a: Ask): Promise<Ordered> {
    const turn = this.#ordering.then(() => this.#order(a))
    this.#ordering = turn.catch(() => {})
    return turn
  }

  async #order(a: Ask): Promise<Ordered> {
    const bound = promptBound(a)
    const quote = await this.coordinator.quote({
      model: a.model,
      prompt_bound: bound,
      max_tokens: a.max_tokens,
      max_seconds: a.max_seconds,
      embeddings: a.input?.length,
      max_price: a.max_price?.toString(),
      ttl_seconds: a.ttl_seconds,
      constraints: a.constraints,
      route: a.route,
      sealed: !this.plain,
    })
    this.#check(a, bound, quote)
    const request = requestOf(a, quote.max_tokens, quote.max_seconds)
    const salt = randomSalt()
    const order = { ...quote.order, input: inputCommitment(salt, request.bytes) }
    const to = this.plain ? [] : await this.#recipients(quote)
    if (!this.plain) {
      order.miners = minersHash(to.map((m) => m.miner))
      if (a.max_price === undefined) order.maxPrice = String(dearest(a, bound, quote, to))
    }
    for (let n = 1; ; n++) {
      try {
        return { ...(await this.#place(a, order, request, salt, bound, to)), salt, quote }
      } catch (err) {
        const next = err instanceof ApiError && err.code === 'conflict' ? err.details.next : undefined
        if (n === signings || typeof next !== 'number') throw err
        order.number = next // another program has the key, too
      }
    }
  }

  /** Signs an order, sealed to some miners if the session seals, and sends it. */
  async #place(a: Ask, unsigned: Order, request: ReturnType<typeof requestOf>, salt: Uint8Array, bound: number, to: Quote['offers']): Promise<{ job: Hex; order: Order; answers: SealedAnswer[] }> {
    const order = { ...unsigned }
    const signature = await sign(this.spender, this.domain, 'Order', order)
    const job = digest(this.domain.chainId, this.domain.market, 'Order', order)
    let answers: SealedAnswer[] = []
    let body: Record<string, unknown> = { signed: { order, signature, salt: base64(salt), request: base64(request.bytes) }, constraints: a.constraints, route: a.route }
    if (!this.plain) {
      const hidden = await seal(job, concat([salt, request.bytes]), to.map((m) => ({ miner: m.miner, publicKey: fromBase64(m.sealing_key!) })))
      answers = hidden.answers
      const sealed = { public: request.shared, prompt_bound: bound, embeddings: a.input?.length, box: hidden.box }
      body = { signed: { order, signature, sealed }, constraints: { ...a.constraints, miners: to.map((m) => m.miner) }, route: a.route }
    }
    for (let n = 1; ; n++) {
      try {
        const { job_id } = await this.coordinator.submitSigned(body)
        if (job_id !== job) throw new Disagreement(`the coordinator calls the order ${job_id}, which is ${job}`)
        return { job, order, answers }
      } catch (err) {
        // Without an answer the same order is sent again: it is the same job.
        const told = err instanceof Disagreement || (err instanceof ApiError && err.code !== 'unavailable')
        if (told || n === sendings) throw err
        await new Promise((resolve) => setTimeout(resolve, 100 * n))
      }
    }
  }

  /** The cheapest miners whose sealing keys the chain knows. */
  async #recipients(q: Quote): Promise<Quote['offers']> {
    const to: Quote['offers'] = []
    for (const x of q.offers) {
      if (to.length === maxMiners) break
      const want = await this.keys!.sealingKey(x.miner)
      if (want !== zeroHash && x.sealing_key && fingerprint(fromBase64(x.sealing_key)) === want) to.push(x)
    }
    if (to.length === 0) throw new Error('no miner that may run this takes sealed jobs: plain lets the coordinator read')
    return to
  }

  /** The pieces that a token's text stands for: of a sealed job each line is one. */
  async #pieces(o: Ordered, index: number, e: { token?: number; text?: string }): Promise<{ index: number; token?: number; text: string }[]> {
    if (o.answers.length === 0) return [{ index, text: e.text ?? '', ...(e.token === undefined ? {} : { token: e.token }) }]
    const lines = (e.text ?? '').split('\n').filter((line) => line !== '')
    return Promise.all(
      lines.map(async (line, i) => {
        const raw = fromBase64(line)
        const tried = await Promise.allSettled(o.answers.map((a) => a.open(index + i, raw)))
        const plain = tried.find((r) => r.status === 'fulfilled')?.value
        if (!plain) throw new Disagreement(`piece ${index + i} was sealed by none of the job’s miners`)
        const p = JSON.parse(new TextDecoder().decode(plain)) as { i: number; id?: number; text: string }
        if (p.i !== index + i) throw new Disagreement(`piece ${p.i} came in the place of ${index + i}`)
        return { index: p.i, text: p.text, ...(p.id === undefined ? {} : { token: p.id }) }
      }),
    )
  }

  #check(a: Ask, bound: number, q: Quote): void {
    const o = q.order
    const c = a.constraints ?? {}
    const need = (ok: boolean, what: string) => {
      if (!ok) throw new Disagreement(`quote: ${what}`)
    }
    const most = a.max_price ?? dearest(a, bound, q, q.offers)
    need(o.session === this.id, `it is for session ${o.session}`)
    need(!c.models?.length || c.models.includes(o.model), `the weights ${o.model} were not asked for`)
    need(o.class === (c.class ? classHash(c.class) : zeroHash) && o.miners === minersHash(c.miners ?? []), 'class or miners are others')
    need(q.max_tokens > 0 && (!a.max_tokens || a.input !== undefined || q.max_tokens <= a.max_tokens), `it is for ${q.max_tokens} tokens`)
    need(!a.max_seconds || (q.max_seconds ?? 0) <= a.max_seconds, `it is for ${q.max_seconds} seconds`)
    need(BigInt(o.maxPrice) <= most, `${o.maxPrice} is more than ${most}`)
    need(!a.ttl_seconds || o.deadline <= Date.now() / 1000 + a.ttl_seconds + slack, 'its deadline is later than was asked for')
  }

  /**
   * Waits for an order's end and checks its receipt: that it is signed, answers
   * this order, costs what it may, and commits to the pieces that came. on sees
   * each event on the way. What does not hold throws a {@link Disagreement}.
   */
  async follow(o: Ordered, on: (e: JobEvent) => void = () => {}, signal?: AbortSignal): Promise<Answer> {
    const sealed = o.answers.length > 0
    let out = new Output(o.salt)
    let whole = true
    const note = (p: { index: number; token?: number; text: string }) => {
      if (p.index === 0) [out, whole] = [new Output(o.salt), true] // another miner may have begun anew
      whole &&= p.index === out.length
      if (whole && p.token !== undefined) out.token(p.token)
      else if (whole) out.text(p.text)
    }
    for await (const e of this.coordinator.follow(o.job, signal)) {
      if (e.type !== 'token') {
        on(e)
        continue
      }
      for (const p of await this.#pieces(o, e.index ?? 0, e)) {
        note(p)
        on({ ...e, ...p })
      }
    }
    const result = await this.coordinator.result(o.job)
    if (sealed) {
      // What came on the way may be of two miners; what the job ended with is of one.
      ;[out, whole] = [new Output(o.salt), true]
      const pieces = await this.#pieces(o, 0, { text: result.output })
      pieces.forEach(note)
      result.output = pieces.map((p) => p.text).join('')
    }
    if (!result.receipt_id) {
      if (result.state === 'completed') throw new Disagreement('the job is completed and has no receipt')
      return { result, matches: false }
    }
    const [receipt, ...more] = await this.coordinator.receiptsOf(o.job)
    if (!receipt || more.length > 0 || receipt.receipt.order !== o.job) throw new Disagreement('the receipt is not this job’s')
    await this.#receipt(receipt)
    const matches = whole && (await out.root()) === receipt.receipt.output
    const late = !sealed && out.length === 1 && result.usage.completion_tokens > 1 // the job was over before we came
    if (whole && !matches && !late) throw new Disagreement('the receipt commits to another answer than the one that came')
    return { result, receipt, matches }
  }

  async #receipt(b: Bundle): Promise<void> {
    const by = await verifySigned(b, this.domain)
    if (!isAddressEqual(by.spender, this.spender.address) || b.order.session !== this.id) {
      throw new Disagreement(`the receipt ${b.receipt_id} is for an order that was not signed here`)
    }
    if (!this.keys) return
    if (!(await this.keys.minerKey(b.receipt.miner, by.miner))) throw new Disagreement(`the chain does not know ${by.miner} as a key of the miner ${b.receipt.miner}`)
    if (!(await this.keys.coordinatorKey(b.receipt.coordinator, by.coordinator))) {
      throw new Disagreement(`the chain does not know ${by.coordinator} as a key of the coordinator ${b.receipt.coordinator}`)
    }
  }

  /**
   * Signs a voucher for all orders that have ended, if their receipts, each
   * checked, add up to what the coordinator says, and sends it. Returns the
   * newest voucher, which is the old one if nothing was due.
   */
  async vouch(): Promise<Voucher> {
    const { vouchers, session } = await this.coordinator.account()
    if (session !== this.id || !vouchers) throw new Disagreement(`the API key is for session ${session}`)
    const last: Voucher = { session: this.id, through: vouchers.last?.through ?? 0, cumulative: vouchers.last?.cumulative ?? '0' }
    if (vouchers.last) {
      const by = await signerOf(this.domain, 'Voucher', last, vouchers.last.signature).catch(() => undefined)
      if (!by || !isAddressEqual(by, this.spender.address)) throw new Disagreement('the last voucher was not signed here')
    }
    const due: Voucher = { session: this.id, through: vouchers.due.through, cumulative: vouchers.due.cumulative }
    if (due.through <= last.through) return last
    let sum = BigInt(last.cumulative)
    const seen = new Set<number>()
    for (const b of await this.coordinator.receiptsAbove(last.through)) {
      await this.#receipt(b)
      const n = b.order.number
      if (n <= last.through || n > due.through) continue
      if (seen.has(n)) throw new Disagreement(`two receipts for order ${n}`)
      seen.add(n)
      sum += BigInt(b.receipt.price)
    }
    if (sum !== BigInt(due.cumulative)) {
      throw new Disagreement(`orders up to ${due.through} cost ${sum} by their receipts, and ${due.cumulative} by the coordinator’s ledger`)
    }
    const signature = await sign(this.spender, this.domain, 'Voucher', due)
    await this.coordinator.putVoucher(this.id, { through: due.through, cumulative: due.cumulative, signature })
    return due
  }
}
