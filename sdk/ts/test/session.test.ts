// A session against a coordinator that is played here, honest and not.
import { readFileSync } from 'node:fs'
import { concat, hexToBytes, keccak256, stringToBytes, zeroHash, type Address, type Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, it } from 'vitest'
import {
  ApiError, askJSON, base64, classHash, Coordinator, digest, Disagreement, inputCommitment, minersHash, fingerprint, fromBase64, Output, price, receiptId, Session, sign, signerOf, unseal, verifySigned,
  type Box, type Bundle, type Keys, type Order,
} from '../src/index.js'

const load = (path: string) => JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'))

describe('commitments are those of Go', () => {
  const all = load('receipt/testdata/vectors/commit.json') as {
    salt: Hex; request: string; input: Hex; tokens: number[]; by_token: Hex; pieces: string[]; by_text: Hex; miners: Address[]; set: Hex; class: Hex
  }[]
  it.each(all)('$request', async (v) => {
    const salt = hexToBytes(v.salt)
    expect(inputCommitment(salt, stringToBytes(v.request))).toBe(v.input)
    const [tokens, texts] = [new Output(salt), new Output(salt)]
    v.tokens.forEach((t) => tokens.token(t))
    v.pieces.forEach((p) => texts.text(p))
    expect(await tokens.root()).toBe(v.by_token)
    expect(await texts.root()).toBe(v.by_text)
    expect(minersHash(v.miners)).toBe(v.set)
    expect(minersHash([...v.miners].reverse())).toBe(v.set)
    expect(classHash(v.request)).toBe(v.class)
  })
})

describe('receipts', () => {
  const bundle = load('receipt/testdata/vectors/bundle.json') as Bundle
  const trust = load('receipt/testdata/vectors/trust.json') as { chain_id: string; market: Address }
  const d = { chainId: Number(trust.chain_id), market: trust.market }
  const changed = (fn: (b: Bundle) => void) => {
    const b = structuredClone(bundle)
    fn(b)
    return b
  }
  it('verify', async () => {
    expect((await verifySigned(bundle, d)).spender).toMatch(/^0x/)
  })
  it.each<[string, (b: Bundle) => void]>([
    ['another price', (b) => (b.receipt.price = '1')],
    ['another order', (b) => (b.order.number = 9)],
    ['another chain', (b) => (b.chain_id = '1')],
    ['other candidates', (b) => (b.candidates = ['0x00000000000000000000000000000000000000ff'])],
    ['another class', (b) => (b.class = 'other')],
    ['no signature', (b) => (b.miner_signature = `0x${'00'.repeat(65)}`)],
    ['a later version', (b) => (b.version = 2)],
  ])('refuse %s', async (_, fn) => {
    await expect(verifySigned(changed(fn), d)).rejects.toThrow(Disagreement)
  })
})

const d = { chainId: 4242, market: '0x000000000000000000000000000000000000A102' as Address }
const key = (n: string) => privateKeyToAccount(keccak256(stringToBytes(n)))
const seed = new Uint8Array(32).fill(7)
const box = load('receipt/testdata/vectors/sealed.json') as { seed: Hex; public: Hex; fingerprint: Hex; job: Hex; content: string; box: Box; piece: string; index: number; sealed: string; miner: Address }
const keys: Keys = { minerKey: async () => true, coordinatorKey: async () => true, sealingKey: async () => box.fingerprint }
const [spender, miner, boss, client] = [key('spender'), key('miner'), key('boss'), key('client')]
const salted = new Map<Hex, Uint8Array>()

type Body = { signed: { order: Order; signature: Hex; salt: string; request: string; sealed?: { public: Record<string, unknown>; prompt_bound: number; box: Box } }; constraints?: { miners?: Address[] } }

const rates = { prompt_rate: '1000000', completion_rate: '2000003', second_rate: '5000' }
const cost = (prompt: number, completion: number, millis: number) =>
  price({ prompt: 1_000_000n, completion: 2_000_003n, second: 5_000n, item: 0n }, { promptTokens: BigInt(prompt), completionTokens: BigInt(completion), computeMillis: BigInt(millis), items: 1n })

/** A coordinator with one miner that answers "Hello", and what it may lie about. */
function played(lie: Partial<{ quote: (q: { order: Order; max_tokens: number }) => void; id: Hex; bundle: (b: Bundle) => void; due: string; events: string; failures: number; conflicts: number }> = {}) {
  const model = keccak256(stringToBytes('weights'))
  const orders: Body['signed'][] = []
  const bodies: string[] = []
  const seen = { vouchers: [] as { through: number; cumulative: string; signature: Hex }[], quotes: [] as string[], submits: 0 }
  let [failures, conflicts] = [lie.failures ?? 0, lie.conflicts ?? 0]
  const bundleOf = async (s: Body['signed']): Promise<Bundle> => {
    const order = digest(d.chainId, d.market, 'Order', s.order)
    const out = new Output(salted.get(order)!)
    ;[7, 8].forEach((t) => out.token(t))
    const r = {
      version: 1, order, session: 7, client: client.address, coordinator: boss.address, miner: miner.address, model: s.order.model, class: classHash('exact/1'), output: await out.root(),
      promptTokens: 5, completionTokens: 2, computeMillis: 1, items: 1, promptRate: rates.prompt_rate, completionRate: rates.completion_rate, secondRate: rates.second_rate, itemRate: '0',
      price: String(cost(5, 2, 1)),
      temperatureMilli: 1000, topPMilli: 1000, topK: 0, seed: '1', startedAt: 1, finishedAt: 2, level: 0, evidence: zeroHash,
    }
    const receiptDigest = digest(d.chainId, d.market, 'Receipt', r)
    const b: Bundle = {
      version: 1, chain_id: String(d.chainId), receipt_id: receiptId(d.chainId, order), receipt_digest: receiptDigest, order: s.order, order_signature: s.signature, candidates: null, receipt: r,
      miner_signature: await sign(miner, d, 'Receipt', r), miner_total: '9', class: 'exact/1', settlement: null,
      countersignature: await sign(boss, d, 'Countersignature', { receipt: receiptDigest, miner: miner.address, minerTotal: '9' }),
    }
    lie.bundle?.(b)
    return b
  }
  const routes = async (method: string, path: string, body: string): Promise<unknown> => {
    if (path === '/v1/account') {
      const spent = String(cost(5, 2, 1) * BigInt(orders.length))
      const last = seen.vouchers.at(-1)
      return { session: 7, mode: 'self', spender: spender.address, vouchers: { ...(last ? { last } : {}), due: { session: 7, through: orders.length, cumulative: lie.due ?? spent } } }
    }
    if (path === '/v1/jobs/quote') {
      seen.quotes.push(body)
      const asked = JSON.parse(body) as { max_tokens: number; prompt_bound: number }
      const q = {
        order: { session: 7, number: orders.length + 1, model, class: zeroHash, input: zeroHash, miners: zeroHash, maxPrice: String(cost(asked.prompt_bound, asked.max_tokens, 60_000)), deadline: Math.floor(Date.now() / 1000) + 60 },
        max_tokens: asked.max_tokens, max_seconds: 60, offers: [{ miner: miner.address, class: 'exact/1', ...rates, sealing_key: base64(hexToBytes(box.public)) }],
      }
      lie.quote?.(q)
      return q
    }
    if (path === '/v1/jobs' && method === 'POST') {
      seen.submits++
      if (failures-- > 0) throw new TypeError('connection reset')
      if (conflicts-- > 0) throw new ApiError(409, 'conflict', 'the number was taken', { next: orders.length + 1 })
      const { signed } = JSON.parse(body) as Body
      bodies.push(body)
      if (signed.sealed) {
        orders.push(signed)
        return { job_id: digest(d.chainId, d.market, 'Order', signed.order) }
      }
      const job = digest(d.chainId, d.market, 'Order', signed.order)
      const [salt, request] = [signed.salt, signed.request].map((t) => Uint8Array.from(atob(t), (c) => c.charCodeAt(0)))
      expect(inputCommitment(salt!, request!)).toBe(signed.order.input)
      expect(await signerOf(d, 'Order', signed.order, signed.signature)).toBe(spender.address)
      salted.set(job, salt!)
      orders.push(signed)
      return { job_id: lie.id ?? job }
    }
    if (path.endsWith('/result')) return { state: 'completed', output: 'Hello', usage: { prompt_tokens: 5, completion_tokens: 2 }, price: '10', receipt_id: zeroHash }
    if (path.startsWith('/v1/receipts?job_id=')) return { receipts: [await bundleOf(orders.find((o) => path.endsWith(digest(d.chainId, d.market, 'Order', o.order)))!)] }
    if (path.startsWith('/v1/receipts?limit=')) return { receipts: await Promise.all(orders.map(bundleOf)) }
    if (path === '/v1/sessions/7/vouchers') {
      seen.vouchers.push(JSON.parse(body) as (typeof seen.vouchers)[number])
      return {}
    }
    throw new ApiError(404, 'not_found', path)
  }
  const streams = ['id: 0\nevent: token\ndata: {"type":"token","token":7,"text":"Hel"}\n\nid: 1\nevent: tok', lie.events ?? ': a comment\n\nid: 1\nevent: token\ndata: {"type":"token","index":1,"token":8,"text":"lo"}\n\nevent: done\ndata: {}\n\n']
  const resumed: (string | null)[] = []
  const fetcher: typeof fetch = async (url, init) => {
    const path = String(url).slice('http://coordinator'.length)
    expect(new Headers(init?.headers).get('X-Api-Key')).toBe('k')
    if (path.endsWith('/events')) {
      resumed.push(new Headers(init?.headers).get('Last-Event-ID'))
      return new Response(streams[Math.min(resumed.length - 1, 1)])
    }
    try {
      return Response.json(await routes(init?.method ?? 'GET', path, (init?.body as string) ?? ''))
    } catch (err) {
      if (err instanceof ApiError) return Response.json({ error: { code: err.code, message: err.message, details: err.details } }, { status: err.status })
      throw err
    }
  }
  return { seen, resumed, orders, bodies, fetcher, open: () => Session.of(new Coordinator('http://coordinator/', 'k', fetcher), d, spender, { plain: true }),
    openSealed: () => Session.of(new Coordinator('http://coordinator/', 'k', fetcher), d, spender, { keys }) }
}

const ask = { model: 'tiny', messages: [{ role: 'user' as const, content: 'secret words' }], max_tokens: 16, seed: 2n ** 63n }

describe('a session', () => {
  it('signs, streams over a broken connection, verifies and vouches', async () => {
    const p = played({ failures: 2, conflicts: 1 })
    const s = await p.open()
    const o = await s.submit(ask)
    let text = ''
    const a = await s.follow(o, (e) => (text += e.text ?? ''))
    expect([text, a.matches, a.result.output, p.resumed]).toEqual(['Hello', true, 'Hello', [null, '0']])
    const v = await s.vouch()
    expect(v).toEqual({ session: 7, through: 1, cumulative: '15' })
    expect(await signerOf(d, 'Voucher', v, p.seen.vouchers[0]!.signature)).toBe(spender.address)
    expect(await s.vouch()).toEqual(v)
    expect(p.seen.vouchers.length).toBe(1)
    expect(p.seen.submits).toBe(4)
    expect(p.seen.quotes.join()).not.toContain('secret')
    const request = JSON.parse(atob(p.orders[0]!.request)) as { seed: string; max_tokens: number }
    expect([request.seed, request.max_tokens]).toEqual(['9223372036854775808', 16])
  })
  it('orders one after another', async () => {
    const p = played()
    const s = await p.open()
    const all = await Promise.all([s.submit(ask), s.submit(ask), s.submit(ask)])
    expect(all.map((o) => o.order.number)).toEqual([1, 2, 3])
  })
  it.each<[string, Parameters<typeof played>[0] & object]>([
    ['a higher price', { quote: (q) => (q.order.maxPrice = '9999999') }],
    ['another session', { quote: (q) => (q.order.session = 8) }],
    ['more tokens', { quote: (q) => (q.max_tokens = 17) }],
    ['other miners', { quote: (q) => (q.order.miners = keccak256('0x01')) }],
    ['another class', { quote: (q) => (q.order.class = keccak256('0x01')) }],
  ])('signs no order for %s', async (_, lie) => {
    const p = played(lie)
    await expect((await p.open()).submit(ask)).rejects.toThrow(Disagreement)
    expect(p.orders.length).toBe(0)
  })
  it('notices an order that is called otherwise', async () => {
    await expect((await played({ id: zeroHash }).open()).submit(ask)).rejects.toThrow(Disagreement)
  })
  it('notices an answer that the receipt does not commit to', async () => {
    const s = await played({ events: 'id: 1\ndata: {"type":"token","index":1,"token":9,"text":"p!"}\n\nevent: done\ndata: {}\n\n' }).open()
    await expect(s.follow(await s.submit(ask))).rejects.toThrow('another answer')
  })
  it.each<[string, Parameters<typeof played>[0] & object]>([
    ['a larger sum', { due: '11' }],
    ['a forged receipt', { bundle: (b) => (b.receipt.price = '11') }],
    ['a receipt for nothing of ours', { bundle: (b) => (b.order_signature = concat([b.miner_signature])) }],
  ])('signs no voucher for %s', async (_, lie) => {
    const p = played(lie)
    const s = await p.open()
    await s.submit(ask)
    await expect(s.vouch()).rejects.toThrow(Disagreement)
    expect(p.seen.vouchers.length).toBe(0)
  })
})

describe('sealing', () => {
  it('opens what Go sealed', async () => {
    const { content, answer } = await unseal(box.job, box.box, box.miner, hexToBytes(box.seed))
    expect(new TextDecoder().decode(content)).toBe(box.content)
    expect(new TextDecoder().decode(await answer.open(box.index, fromBase64(box.sealed)))).toBe(box.piece)
    await expect(answer.open(box.index + 1, fromBase64(box.sealed))).rejects.toThrow()
    expect(fingerprint(hexToBytes(box.public))).toBe(box.fingerprint)
  })
  it('refuses what is for another job', async () => {
    await expect(unseal(zeroHash, box.box, box.miner, hexToBytes(box.seed))).rejects.toThrow()
  })
  it('shows the coordinator nothing of a job but its form', async () => {
    const p = played()
    const s = await p.openSealed()
    const o = await s.submit({ ...ask, stop: ['a secret stop'] })
    const sent = JSON.parse(p.bodies[0]!) as Body
    expect(p.bodies[0]).not.toContain('secret')
    expect([sent.constraints!.miners, o.order.miners]).toEqual([[miner.address], minersHash([miner.address])])
    expect(sent.signed.salt).toBeUndefined()
    const { content } = await unseal(o.job, sent.signed.sealed!.box, miner.address, seed)
    const request = JSON.parse(new TextDecoder().decode(content.slice(32))) as Record<string, unknown>
    expect(request).toMatchObject({ ...sent.signed.sealed!.public, messages: ask.messages, stop: ['a secret stop'] })
    expect(inputCommitment(content.slice(0, 32), content.slice(32))).toBe(o.order.input)
    expect(BigInt(o.order.maxPrice)).toBe(cost(44, 16, 60_000))
  })
  it('seals to no key that the chain does not know', async () => {
    const p = played()
    const s = await Session.of(new Coordinator('http://coordinator/', 'k', p.fetcher), d, spender, { keys: { ...keys, sealingKey: async () => zeroHash } })
    await expect(s.submit(ask)).rejects.toThrow('sealed jobs')
    await expect(Session.of(new Coordinator('http://coordinator/', 'k', p.fetcher), d, spender, {})).rejects.toThrow('plain')
    expect(p.orders.length).toBe(0)
  })
})

it('writes seeds as numbers and amounts as text', () => {
  expect(askJSON({ model: 'm', seed: 2n ** 64n - 1n, max_price: 5n })).toBe('{"model":"m","max_price":"5","seed":18446744073709551615}')
  expect(base64(new Uint8Array([255, 0]))).toBe('/wA=')
})
