// How a session stands, from what the browser kept and what the chain says; and
// the turns of a conversation. Nothing here asks or keeps anything.
import type { Address, Hex } from 'viem'
import type { Trouble } from '@aitbc/shared/wallet/trouble'

/** A session that this browser has the key of. What is secret of it lies beside, sealed. */
export interface Kept {
  spender: Address
  client: Address
  chain: number
  coordinator: Address
  deposit: string
  expiry: number // seconds since 1970
  made: number // milliseconds since 1970
  /** How many sessions there were before: it has a higher number. */
  since: number
  session?: number
  /** The coordinator has given an API key for it. */
  keyed: boolean
}

/** A session as the Market has it. */
export interface OnChain {
  state: number
  deposit: bigint
  debited: bigint
  expiry: bigint
  dueAt: bigint
}

export type Phase =
  | 'asking' // the wallet was asked, and no such session is on the chain
  | 'looking' // the chain was not asked yet
  | 'unkeyed' // open, and the coordinator knows nothing of it yet
  | 'open'
  | 'closing' // no new orders; the rest comes back when the window is over
  | 'due' // the window or its life is over: the next blocks pay the rest back
  | 'closed'

/** How a session stands at a time, in seconds. */
export function phase(k: Kept, x: OnChain | undefined, now: number): Phase {
  if (k.session === undefined) return 'asking'
  if (!x) return 'looking'
  if (x.state === 3) return 'closed'
  if (now >= Number(x.dueAt)) return 'due'
  if (x.state === 2) return 'closing'
  return k.keyed ? 'open' : 'unkeyed'
}

/** Where the money of a session is. Of a closed one all is paid or back. */
export function money(x: OnChain): { deposit: bigint; paid: bigint; rest: bigint } {
  return { deposit: x.deposit, paid: x.debited, rest: x.deposit - x.debited }
}

export interface Turn {
  question: string
  text: string
  state: 'signing' | 'queued' | 'running' | 'stopping' | 'done' | 'stopped' | 'failed'
  job?: Hex
  tokens: number
  sealed: boolean
  price?: string
  matches?: boolean
  receipt?: Hex
  trouble?: Trouble
}

export type Step =
  | { type: 'ask'; question: string; sealed: boolean }
  | { type: 'ordered'; job: Hex }
  | { type: 'state'; state: string }
  | { type: 'token'; index: number; text: string }
  | { type: 'stop' }
  | { type: 'end'; state: string; output: string; price: string; matches: boolean; receipt?: Hex; error?: { code: string; message: string } }
  | { type: 'fail'; trouble: Trouble }
  | { type: 'clear' }

const over = (t: Turn | undefined) => !t || t.state === 'done' || t.state === 'stopped' || t.state === 'failed'

/** Whether an answer is on its way. */
export const busy = (turns: readonly Turn[]): boolean => !over(turns.at(-1))

/** The conversation after a step. A step that does not fit where it comes changes nothing. */
export function next(turns: readonly Turn[], s: Step): readonly Turn[] {
  if (s.type === 'clear') return busy(turns) ? turns : []
  if (s.type === 'ask') return busy(turns) ? turns : [...turns, { question: s.question, text: '', state: 'signing', tokens: 0, sealed: s.sealed }]
  const last = turns.at(-1)
  if (!last || over(last)) return turns
  const to = (change: Partial<Turn>) => [...turns.slice(0, -1), { ...last, ...change }]
  switch (s.type) {
    case 'ordered':
      return to({ job: s.job, state: last.state === 'stopping' ? 'stopping' : 'queued' })
    case 'state':
      return s.state === 'running' && last.state !== 'stopping' ? to({ state: 'running' }) : turns
    case 'token':
      // Index 0 again: another miner began anew.
      return to({ text: s.index === 0 ? s.text : last.text + s.text, tokens: s.index === 0 ? 1 : last.tokens + 1, state: last.state === 'stopping' ? 'stopping' : 'running' })
    case 'stop':
      return to({ state: 'stopping' })
    case 'end': {
      const paid = { price: s.price, matches: s.matches, receipt: s.receipt }
      if (s.state === 'completed') return to({ ...paid, text: s.output, state: 'done' })
      if (s.state === 'canceled') return to({ ...paid, text: s.output || last.text, state: 'stopped' })
      const text = s.state === 'expired' ? 'No miner ran it in time.' : `${s.error?.message ?? 'The miner gave up'}.`
      return to({ ...paid, state: 'failed', trouble: { title: 'The job failed', text: `${text} It costs ${s.price === '0' ? 'nothing' : 'what was delivered'}.`, again: true } })
    }
    case 'fail':
      return to({ state: 'failed', trouble: s.trouble })
  }
}

export interface Said {
  role: 'user' | 'assistant'
  content: string
}

const perMessage = 16
const bytes = (text: string) => new TextEncoder().encode(text).length

/**
 * The messages to send: of the conversation so much of its end as surely fits
 * into the model, by the bound that orders are signed with (a token is at least a
 * byte). null: the question alone does not.
 */
export function fit(turns: readonly Turn[], question: string, context: number, answer: number): Said[] | null {
  let room = context - answer - perMessage - (bytes(question) + perMessage)
  if (room < 0 || answer < 1) return null
  const out: Said[] = [{ role: 'user', content: question }]
  for (const t of [...turns].reverse()) {
    if ((t.state !== 'done' && t.state !== 'stopped') || t.text === '') continue
    room -= bytes(t.question) + bytes(t.text) + 2 * perMessage
    if (room < 0) break
    out.unshift({ role: 'user', content: t.question }, { role: 'assistant', content: t.text })
  }
  return out
}
