// What a coordinator's HTTP interface carries: docs/PROTOCOL.md section 7.
// Amounts are decimal strings of base units, 10^-18 AITBC.
import type { Address, Hex } from 'viem'
import type { Order, Receipt, Voucher } from './typed.js'

export interface Chat {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string
}

export interface Constraints {
  miners?: Address[]
  class?: string
  models?: Hex[]
  gpu?: string
  min_vram_gb?: number
  region?: string
  min_reputation?: number
  verification?: number
}

/** What a client asks for; exactly one of prompt, messages and input. */
export interface Ask {
  model: string
  prompt?: string
  messages?: Chat[]
  input?: string[]
  max_tokens?: number
  /** Longest that a miner computes at a price by the second; 60 if not given. */
  max_seconds?: number
  temperature?: number
  top_p?: number
  top_k?: number
  seed?: bigint
  stop?: string[]
  /** What the answer keeps to, in llama.cpp's notation (GBNF). */
  grammar?: string
  logprobs?: boolean
  top_logprobs?: number
  max_price?: bigint
  ttl_seconds?: number
  constraints?: Constraints
  route?: 'price' | 'latency' | 'throughput'
}

export interface Quote {
  order: Order
  max_tokens: number
  max_seconds?: number
  offers: { miner: Address; class: string; prompt_rate: string; completion_rate: string; second_rate?: string; item_rate?: string; sealing_key?: string }[]
}

export interface SignedVoucher {
  through: number
  cumulative: string
  signature: Hex
}

export interface Vouchers {
  last?: SignedVoucher
  due: Voucher
  alone?: number
}

export interface Account {
  client: Address
  session: number
  state: 'open' | 'closing' | 'closed'
  mode: 'self' | 'delegated'
  spender: Address
  orders: number
  deposit: string
  reserved: string
  charged: string
  available: string
  debited: string
  expiry: number
  vouchers?: Vouchers
}

export type JobState = 'queued' | 'assigned' | 'running' | 'completed' | 'failed' | 'canceled' | 'expired'

export interface Job {
  job_id: Hex
  state: JobState
  payment: 'reserved' | 'charged' | 'settled' | 'refunded'
  model: string
  miner?: Address
  usage: { prompt_tokens: number; completion_tokens: number }
  max_price: string
  price: string
  fee: string
  receipt_id?: Hex
  block?: number
  tx?: Hex
  error?: { code: string; message: string }
  created_at: number
  finished_at?: number
  expires_at: number
  /** Output and the text of tokens are lines that only the client can open. */
  sealed?: boolean
}

export interface Result extends Job {
  output: string
  finish_reason: string
  salt: string
}

export interface JobEvent {
  type: 'state' | 'token' | 'done' | 'error'
  index?: number
  token?: number
  text?: string
  state?: JobState
  at?: number
}

export interface Network {
  chain_id: number
  coordinator: Address
  market: Address
  registry: Address
  margin_bps: number
  fee_bps: number
  version: string
}

export interface Bundle {
  version: number
  chain_id: string
  receipt_id: Hex
  receipt_digest: Hex
  order: Order
  order_signature: Hex
  candidates: Address[] | null
  receipt: Receipt
  miner_signature: Hex
  miner_total: string
  countersignature: Hex
  class: string
  settlement: unknown
}
