// A coordinator's HTTP interface, on fetch.
import type { Address, Hex } from 'viem'
import type { Account, Ask, Bundle, Job, JobEvent, Network, Quote, Result, SignedVoucher, Vouchers } from './api.js'
import { sign, type Domain, type Signer } from './typed.js'

/** What a coordinator refuses, with its code from a closed list. */
export class ApiError extends Error {
  override name = 'ApiError'
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message)
  }
}

/** JSON with bigints: a seed as a number, an amount as a string. */
export function askJSON(a: Ask): string {
  const { seed, max_price, ...rest } = a
  const text = JSON.stringify({ ...rest, ...(max_price === undefined ? {} : { max_price: String(max_price) }) })
  return seed === undefined ? text : `${text.slice(0, -1)},"seed":${seed}}`
}

const firstRetry = 100
const lastRetry = 5_000
const maxBroken = 20

const pause = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal!.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })

/** A client of one coordinator. The key may be left out for what needs none. */
export class Coordinator {
  constructor(
    readonly url: string,
    private readonly key?: string,
    private readonly fetcher: typeof fetch = fetch,
  ) {}

  /** The same coordinator with an API key. */
  withKey(key: string): Coordinator {
    return new Coordinator(this.url, key, this.fetcher)
  }

  async #open(method: string, path: string, body?: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const fetcher = this.fetcher
    const r = await fetcher(this.url.replace(/\/$/, '') + path, {
      method,
      redirect: 'error', // it would carry the key to another place
      headers: { ...(this.key ? { 'X-Api-Key': this.key } : {}), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body }),
      ...(signal ? { signal } : {}),
    })
    if (r.ok) return r
    const said = (await r.json().catch(() => ({}))) as { error?: { code?: string; message?: string; details?: Record<string, unknown> } }
    throw new ApiError(r.status, said.error?.code ?? 'internal', said.error?.message ?? `status ${r.status}`, said.error?.details)
  }

  async #json<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
    const r = await this.#open(method, path, body === undefined || typeof body === 'string' ? body : JSON.stringify(body), headers, AbortSignal.timeout(30_000))
    return (await r.json()) as T
  }

  network = () => this.#json<Network>('GET', '/v1/network')
  models = async () => (await this.#json<{ data: { id: string }[] }>('GET', '/v1/models')).data
  account = () => this.#json<Account>('GET', '/v1/account')
  sessions = async () => (await this.#json<{ sessions: Account[] }>('GET', '/v1/sessions')).sessions
  job = (id: Hex) => this.#json<Job>('GET', `/v1/jobs/${id}`)
  jobs = async () => (await this.#json<{ jobs: Job[] }>('GET', '/v1/jobs')).jobs
  /** The answer of a job that has ended; before, an ApiError too_early. */
  result = (id: Hex) => this.#json<Result>('GET', `/v1/jobs/${id}/result`)
  cancel = (id: Hex) => this.#json<Job>('DELETE', `/v1/jobs/${id}`)
  receipt = (id: Hex) => this.#json<Bundle>('GET', `/v1/receipts/${id}`)
  receiptsOf = async (job: Hex) => (await this.#json<{ receipts: Bundle[] }>('GET', `/v1/receipts?job_id=${job}`)).receipts
  receiptsAbove = async (order: number) => (await this.#json<{ receipts: Bundle[] }>('GET', `/v1/receipts?limit=256&above=${order}`)).receipts

  /** Orders a job in a session for which the coordinator signs. */
  submit(a: Ask, idempotencyKey?: string): Promise<{ job_id: Hex }> {
    return this.#json('POST', '/v1/jobs', askJSON(a), idempotencyKey ? { 'Idempotency-Key': idempotencyKey } : {})
  }

  /** The terms of a job. The coordinator is told how long the prompt is, and not what is in it. */
  quote(q: Record<string, unknown>): Promise<Quote> {
    return this.#json('POST', '/v1/jobs/quote', q)
  }

  /** Delivers an order that is signed. Coming twice it orders nothing twice. */
  submitSigned(body: Record<string, unknown>): Promise<{ job_id: Hex }> {
    return this.#json('POST', '/v1/jobs', body)
  }

  putVoucher(session: number, v: SignedVoucher): Promise<Vouchers> {
    return this.#json('POST', `/v1/sessions/${session}/vouchers`, v)
  }

  /** The spender to name in openSession, for a session for which the coordinator signs. */
  prepare(client: Address): Promise<{ coordinator: Address; spender: Address; min_deposit: string; max_expiry: number; fee_bps: number }> {
    return this.#json('POST', '/v1/sessions/prepare', { client })
  }

  /** Gets an API key for a session of the account's; it is shown this once. */
  async sessionKey(d: Domain, account: Signer, session: number, mode: 'self' | 'delegated'): Promise<string> {
    const q = { client: account.address, session, issuedAt: Math.floor(Date.now() / 1000) }
    const signature = await sign(account, d, 'KeyRequest', q)
    const k = await this.#json<{ api_key: string }>('POST', `/v1/sessions/${session}/key`, { client: q.client, issued_at: q.issuedAt, signature, mode })
    return k.api_key
  }

  /**
   * The events of a job, in order and once, until it has ended. A stream that
   * breaks is taken up again where it broke.
   */
  async *follow(id: Hex, signal?: AbortSignal): AsyncGenerator<JobEvent> {
    let last = ''
    let delay = firstRetry
    for (let broken = 0; ; ) {
      try {
        const headers: Record<string, string> = { Accept: 'text/event-stream', ...(last ? { 'Last-Event-ID': last } : {}) }
        const r = await this.#open('GET', `/v1/jobs/${id}/events`, undefined, headers, signal)
        for await (const e of events(r)) {
          broken = 0
          delay = firstRetry
          if (e.id) last = e.id
          const value = JSON.parse(e.data) as JobEvent
          if (e.name) value.type = e.name as JobEvent['type']
          if (value.type === 'error') break
          yield value
          if (value.type === 'done') return
        }
      } catch (err) {
        if (signal?.aborted || (err instanceof ApiError && !['unavailable', 'rate_limited', 'internal'].includes(err.code))) throw err
      }
      if (++broken > maxBroken) throw new Error('the stream of events ended before the job did, again and again')
      await pause(delay, signal)
      delay = Math.min(2 * delay, lastRetry)
    }
  }
}

/** The server-sent events of a response. */
async function* events(r: Response): AsyncGenerator<{ id: string; name: string; data: string }> {
  let rest = ''
  let event = { id: '', name: '', data: '' }
  const decoder = new TextDecoder()
  const reader = r.body!.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      rest += decoder.decode(value, { stream: true })
      const lines = rest.split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        const at = line.indexOf(':')
        const field = at < 0 ? line : line.slice(0, at)
        const text = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '')
        if (field === 'id') event.id = text
        else if (field === 'event') event.name = text
        else if (field === 'data') event.data += text
        else if (line === '' && event.data !== '') {
          yield event
          event = { id: '', name: '', data: '' }
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}
