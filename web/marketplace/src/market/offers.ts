// The list of offers: what is in it, in which order, and how the address says so.
import { units } from '@aitbc/shared/format'
import type { Miner, Offer, Presence } from '../types.js'

export interface Row {
  key: string
  miner: Miner
  offer: Offer
  presence?: Presence
}

export const sorts = ['price', 'prompt', 'speed', 'first', 'uptime', 'reputation', 'model'] as const
export type Sort = (typeof sorts)[number]

export const kinds = ['all', 'chat', 'embeddings', 'container'] as const
export type Kind = (typeof kinds)[number]

export interface Filter {
  q: string
  kind: Kind
  gpu: string
  region: string
  most: string // coins for 10^6 tokens of the answer
  level: number
  free: boolean
  shown: boolean // weights are shown, not claimed
  sort: Sort
  down: boolean
}

export const everything: Filter = { q: '', kind: 'all', gpu: '', region: '', most: '', level: 0, free: false, shown: false, sort: 'price', down: false }

const among = <T extends string>(list: readonly T[], text: string | null, otherwise: T): T => list.find((x) => x === text) ?? otherwise

/** The filter that an address means; what is nonsense in it filters nothing. */
export function fromURL(p: URLSearchParams): Filter {
  const text = (name: string) => (p.get(name) ?? '').slice(0, 100)
  const level = Number(p.get('level') ?? 0)
  return {
    q: text('q'),
    kind: among(kinds, p.get('kind'), 'all'),
    gpu: text('gpu'),
    region: text('region'),
    most: units(text('most')) === null ? '' : text('most'),
    level: Number.isInteger(level) && level > 0 && level < 6 ? level : 0,
    free: p.get('free') === '1',
    shown: p.get('shown') === '1',
    sort: among(sorts, p.get('sort'), 'price'),
    down: p.get('dir') === 'down',
  }
}

/** The query of a filter's address: what differs from everything. */
export function toURL(f: Filter): string {
  const p = new URLSearchParams()
  for (const name of ['q', 'kind', 'gpu', 'region', 'most', 'sort'] as const) if (f[name] !== everything[name]) p.set(name, f[name])
  if (f.level > 0) p.set('level', String(f.level))
  if (f.free) p.set('free', '1')
  if (f.shown) p.set('shown', '1')
  if (f.down) p.set('dir', 'down')
  return p.size > 0 ? `?${p}` : ''
}

/** All offers of miners that are there. */
export function rowsOf(miners: Miner[], presence: Presence[] = []): Row[] {
  const seen = new Map(presence.map((p) => [p.miner.toLowerCase(), p]))
  return miners
    .filter((m) => m.state !== 'offline')
    .flatMap((miner) => (miner.offers ?? []).map((offer) => ({ key: `${miner.miner} ${offer.model} ${offer.digest} ${offer.class}`, miner, offer, presence: seen.get(miner.miner.toLowerCase()) })))
}

/** What of a miner's time it was seen online, from 0 to 1. */
export function uptime(p: Presence | undefined): number | undefined {
  return p && p.looks > 0 ? p.up / p.looks : undefined
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0)

// What is not known comes last, whatever the direction.
function order(sort: Sort, a: Row, b: Row, sign: number): number {
  const known = (x: number | undefined, y: number | undefined) => (x === undefined ? (y === undefined ? 0 : 1) : y === undefined ? -1 : sign * (x - y))
  switch (sort) {
    case 'price':
      return sign * compare(BigInt(a.offer.completion_rate), BigInt(b.offer.completion_rate))
    case 'prompt':
      return sign * compare(BigInt(a.offer.prompt_rate), BigInt(b.offer.prompt_rate))
    case 'speed':
      return known(a.offer.measured?.tokens_per_second, b.offer.measured?.tokens_per_second)
    case 'first':
      return known(a.offer.measured?.first_token_ms, b.offer.measured?.first_token_ms)
    case 'uptime':
      return known(uptime(a.presence), uptime(b.presence))
    case 'reputation':
      return sign * (a.miner.reputation - b.miner.reputation)
    case 'model':
      return sign * (a.offer.model < b.offer.model ? -1 : a.offer.model > b.offer.model ? 1 : 0)
  }
}

/** The offers that a filter lets through, in its order. */
export function choose(rows: Row[], f: Filter): Row[] {
  const words = f.q.toLowerCase().split(/\s+/).filter(Boolean)
  const most = f.most === '' ? null : units(f.most)
  const fits = ({ offer: o, miner: m }: Row) => {
    const text = `${o.model} ${o.class} ${o.digest} ${o.gpu ?? 'cpu'} ${o.region ?? ''} ${m.miner}`.toLowerCase()
    return (
      words.every((w) => text.includes(w)) &&
      (f.kind === 'all' || (f.kind === 'container' ? o.kind === 'container' : !o.kind && (f.kind === 'chat' || o.embeddings === true))) &&
      (f.gpu === '' || (o.gpu ?? 'CPU') === f.gpu) &&
      (f.region === '' || o.region === f.region) &&
      (most === null || BigInt(o.completion_rate) <= most) &&
      (o.verification ?? 0) >= f.level &&
      (!f.free || (m.free_slots > 0 && m.state === 'online')) &&
      (!f.shown || !o.claimed)
    )
  }
  const sign = f.down ? -1 : 1
  return rows.filter(fits).sort((a, b) => order(f.sort, a, b, sign) || (a.key < b.key ? -1 : 1))
}

/** The different values that a list can be filtered by, sorted. */
export function choices(rows: Row[], of: (o: Offer) => string | undefined): string[] {
  return [...new Set(rows.map((r) => of(r.offer)).filter((x): x is string => !!x))].sort()
}
