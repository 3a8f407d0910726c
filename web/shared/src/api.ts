// Asking the server that this page came from; nothing else can be reached.

/** What the server refused, and why. */
export class Refused extends Error {
  override name = 'Refused'
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/** The JSON at a path of this origin; with a body it is posted. A refusal is a {@link Refused}. */
export async function ask<T>(path: string, options: { key?: string; signal?: AbortSignal; method?: 'DELETE'; body?: unknown } = {}): Promise<T> {
  const { key, signal, body } = options
  const headers: Record<string, string> = { ...(key ? { 'X-Api-Key': key } : {}), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) }
  const method = options.method ?? (body === undefined ? 'GET' : 'POST')
  let response: Response
  try {
    response = await fetch(path, { method, headers, signal, credentials: 'omit', ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  } catch (cause) {
    throw new Refused(0, 'unreachable', 'The server does not answer. It is asked again when you press Retry.')
  }
  const text = await response.text()
  if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } }
    throw new Refused(response.status, error.code, error.message)
  } catch (e) {
    if (e instanceof Refused) throw e
    throw new Refused(response.status, 'internal', `The server answered ${response.status}.`)
  }
}

export interface Page<T> {
  items: T[]
  next: string
}

export interface Status {
  chain_id: string
  genesis: string
  head: number
  node_head: number
  first: number
  time: string
  txs: number
  failed_txs: number
  events: number
  gas_used: number
  burned: string
  block_seconds: number
  version: string
}

export interface Block {
  height: number
  hash: string
  parent: string
  time: string
  proposer: string
  gas_used: number
  gas_limit: number
  base_fee: string
  txs: number
  events: number
}

/** A value of a contract's call or event, as the server writes it. */
export type Value = string | boolean | null | Value[] | { [name: string]: Value | number }

export interface Event {
  height: number
  seq: number
  time: string
  tx: string | null
  tx_index: number
  log: number
  call: string
  contract: string
  name: string
  args: Record<string, Value>
}

export interface BlockDetail extends Block {
  validator: string | null
  system: Event[]
  round: number | null
  signers: number
  validators: number
}

export interface Tx {
  hash: string
  height: number
  index: number
  time: string
  from: string
  to: string | null
  created: string | null
  value: string
  method: string
  ok: boolean
  nonce: number
  gas_limit: number
  gas_used: number
  fee: string
  burned: string
}

export interface TxDetail extends Tx {
  call: { contract: string; match: Match; method: string; args: Record<string, Value> | null; bytes: number; data: string } | null
  events: Event[]
  logs: { address: string; topics: string[]; data: string; contract: string; match: Match; event: string; args: Record<string, Value> | null }[]
  reason: string
}

export interface Participant {
  stake: string
  unbonding: string
  signer: string
  endpoint: string
  jailed_until: number
}

export interface Account {
  address: string
  bech32: string
  contract: string
  code: boolean
  balance: string
  nonce: number
  withdrawable: string
  miner: Participant | null
  coordinator: Participant | null
  validator: boolean
  operator: string | null
  delegations: { operator: string; amount: string; rewards: string }[]
  unbonding: { operator: string; amount: string; due_at: number }[]
}

export interface Session {
  id: number
  state: string
  client: string
  coordinator: string
  spender: string
  deposit: string
  debited: string
  through: number
  expiry: number
  due_at: number
  fee_bps: number
}

export interface DirectJob {
  id: number
  state: string
  client: string
  miner: string
  model: string
  class: string
  fee: string
  price: string
  bond: string
  accept_by: number
  deadline: number
  due_at: number
  receipt: string
}

export interface Validator {
  operator: string
  consensus: string
  moniker: string
  standing: string
  power: number
  tokens: string
  self_stake: string
  commission_bps: number
  authority: boolean
  jailed_until: number
  missed: number
  signing: string
  signing_from: number
}

export interface Miner {
  miner: string
  state: string
  models: {
    model: string
    digest: string
    class: string
    claimed: boolean
    prompt_rate: string
    completion_rate: string
    second_rate?: string
    item_rate?: string
    measured?: { first_token_ms: number; tokens_per_second: number; jobs: number }
  }[]
  slots: number
  free_slots: number
  completed: number
  reputation: number
  last_seen: number
  stake: string
  jailed_until: number
  earned: string
}

export interface Proposal {
  number: number
  id: string
  state: string
  proposer: string
  description: string
  actions: string[]
  vote_start: number
  vote_end: number
  for: string
  against: string
  abstain: string
  quorum: string
  eta: number
}

export interface Supply {
  height: number
  genesis: string
  issued: string
  burned: string
  total: string
  whole: boolean
  bonded: string
  unbonding: string
  market: string
  treasury: string
}

export interface Parameter {
  contract: string
  name: string
  type: string
  value: string
}

export interface Found {
  kind: string
  id: string
  path: string
  text: string
}

/** What a token's contract says of itself: a stranger's text. */
export interface TokenFacts {
  token: string
  name: string
  symbol: string
  decimals: number | null
}

export interface Token extends TokenFacts {
  total_supply: string
}

export interface Holding extends TokenFacts {
  balance: string | null
}

export interface WaitingTx {
  hash: string
  from: string
  to: string | null
  value: string
  nonce: number
  method: string
  gas_limit: number
  fee_cap: string
  tip: string
  ready: boolean
}

export interface Consensus {
  height: number
  round: number
  step: string
  since: string
  ready: number
  queued: number
  peers: number
}

export interface Peer {
  id: string
  moniker: string
  version: string
  outbound: boolean
}

/** How a contract's interface is known: it is the network's own, its source makes this very code or code that does the same, or not at all. */
export type Match = 'network' | 'full' | 'partial' | ''

export interface VerifiedContract {
  address: string
  name: string
  path: string
  match: Match
  compiler: string
  time: string | null
}

export interface ContractDetail extends VerifiedContract {
  code_bytes: number
  code_hash: string
  abi: unknown[] | null
  sources: { path: string; content: string }[]
  settings: Record<string, unknown> | null
  creation_compared: boolean
  constructor_arguments: string | null
  constructor: Record<string, Value> | null
  libraries: { name: string; address: string }[]
  implementation: { address: string; name: string; match: Match; abi: unknown[] | null } | null
}
