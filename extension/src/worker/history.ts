// What an account did: what this wallet sent, and what the explorer knows.
import { getAddress, type Address, type Hex } from 'viem'
import { getJSON, Unreachable } from '../chain/rpc.js'
import type { Network } from '../chain/network.js'
import { line } from '../intent/text.js'
import { isSuperseded, type Sent, type SentState } from './outbox.js'

export interface Entry {
  hash: Hex
  at: number
  from: Address
  to: Address | null
  value: string
  text: string
  state: SentState
  why: string
  height: number | null
  origin: string | null
  /** It waits, and another can take its place. */
  replaceable: boolean
}

/** What is known, and why the explorer says nothing, if it does not. */
export interface History {
  entries: Entry[]
  explorer: 'ok' | 'none' | 'unreachable'
}

function isHash(v: unknown): v is Hex {
  return typeof v === 'string' && /^0x[0-9a-f]{64}$/i.test(v)
}

function address(v: unknown): Address | null {
  return typeof v === 'string' && /^0x[0-9a-f]{40}$/i.test(v) ? getAddress(v.toLowerCase()) : null
}

/** An entry of the explorer's; null for what is none. */
export function read(v: unknown, me: Address): Entry | null {
  const t = (v ?? {}) as Record<string, unknown>
  const from = address(t.from)
  const at = typeof t.time === 'string' ? Date.parse(t.time) : NaN
  if (!isHash(t.hash) || !from || Number.isNaN(at) || typeof t.value !== 'string' || !/^\d{1,39}$/.test(t.value)) return null
  const to = address(t.to)
  const method = typeof t.method === 'string' && t.method ? line(t.method, 40) : ''
  const text = method ? `Call ${method}` : from === me ? 'Sent' : 'Received'
  return { hash: t.hash, at, from, to, value: t.value, text, state: t.ok === true ? 'included' : 'failed', why: '', height: Number.isSafeInteger(t.height) ? (t.height as number) : null, origin: null, replaceable: false }
}

function own(s: Sent, pending: Sent[]): Entry {
  const waits = s.state === 'pending'
  const old = waits && isSuperseded(s, pending)
  const why = old ? 'Another was sent in its place: one of both will be in a block.' : s.why
  return { hash: s.hash, at: s.at, from: s.from, to: s.to, value: s.value, text: s.summary, state: s.state, why, height: s.height, origin: s.origin, replaceable: waits && !old }
}

async function ofExplorer(network: Network, chainId: number, me: Address): Promise<Entry[]> {
  const status = (await getJSON(`${network.explorer}/api/status`)) as { chain_id?: unknown } | null
  if (status?.chain_id !== String(chainId)) throw new Unreachable('It shows another chain.')
  const page = (await getJSON(`${network.explorer}/api/addresses/${me}/txs?limit=50`)) as { items?: unknown } | null
  return (Array.isArray(page?.items) ? page.items : []).slice(0, 50).map((t) => read(t, me)).filter((t) => t !== null)
}

/** Newest first. What this wallet sent says more, and stands for what the explorer says of the same. */
export async function history(network: Network, chainId: number, me: Address, sent: Sent[]): Promise<History> {
  const pending = sent.filter((s) => s.state === 'pending').reverse()
  const mine = sent.map((s) => own(s, pending))
  if (!network.explorer) return { entries: mine, explorer: 'none' }
  try {
    const seen = new Set(mine.map((e) => e.hash))
    const more = (await ofExplorer(network, chainId, me)).filter((e) => !seen.has(e.hash))
    return { entries: [...mine, ...more].sort((a, b) => b.at - a.at), explorer: 'ok' }
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e
    return { entries: mine, explorer: 'unreachable' }
  }
}
