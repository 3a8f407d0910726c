// What the coordinator and this server answer, as the pages use it.

export interface Offer {
  model: string
  digest: string
  class: string
  claimed: boolean
  context: number
  max_tokens: number
  parameters: number
  prompt_rate: string
  completion_rate: string
  second_rate?: string
  item_rate?: string
  kind?: string
  embeddings?: boolean
  gpu?: string
  vram_gb?: number
  region?: string
  verification?: number
  benchmark?: { at: number; first_token_ms: number; tokens_per_second: number; memory_mb?: number }
  measured?: { first_token_ms: number; tokens_per_second: number; jobs: number }
}

export interface Miner {
  miner: string
  state: 'online' | 'draining' | 'offline'
  slots: number
  free_slots: number
  offers: Offer[] | null
  last_seen: number
  completed: number
  reputation: number
}

export interface Miners {
  miners: Miner[]
}

export interface Network {
  chain_id: number
  coordinator: string
  market: string
  fee_bps: number
  margin_bps: number
  queued_jobs: number
  running_jobs: number
}

export interface Presence {
  miner: string
  since: number
  looks: number
  up: number
}

export interface Point {
  at: number
  miners: number
  prompt_rate: string
  completion_rate: string
  measured: number
  milli_tokens_per_second: number
  first_token_ms: number
}

export interface Config {
  api_url: string
  faucet: boolean
  version: string
}

export const levels = ['signed receipt', 'evidence committed', 'random audits', 'exact replay', 'zero-knowledge proof', 'chain-verified']
