import { describe, expect, it } from 'vitest'
import { choices, choose, everything, fromURL, rowsOf, toURL, uptime, type Filter } from '../src/market/offers.js'
import type { Miner, Offer } from '../src/types.js'

const offer = (model: string, completion: string, more: Partial<Offer> = {}): Offer => ({
  model, digest: '0x12', class: 'exact/1', claimed: false, context: 1, max_tokens: 1, parameters: 1, prompt_rate: '1', completion_rate: completion, ...more,
})
const miner = (name: string, offers: Offer[], more: Partial<Miner> = {}): Miner => ({ miner: name, state: 'online', slots: 1, free_slots: 1, offers, last_seen: 0, completed: 0, reputation: 0, ...more })

// The larger price is the smaller number once it is rounded to a double.
const rows = rowsOf(
  [
    miner('0xA', [offer('small', '9007199254740993'), offer('<img src=x onerror=alert(1)>', '5', { gpu: 'H100', region: 'eu', verification: 2 })]),
    miner('0xb', [offer('small', '9007199254740992', { measured: { first_token_ms: 9, tokens_per_second: 20, jobs: 3 } })], { free_slots: 0 }),
    miner('0xc', [offer('embed', '7', { embeddings: true, claimed: true }), offer('box', '8', { kind: 'container' })]),
    miner('0xd', [offer('small', '1')], { state: 'offline' }),
    miner('0xe', [], {}),
  ],
  [{ miner: '0xa', since: 0, looks: 4, up: 3 }],
)
const models = (f: Partial<Filter>) => choose(rows, { ...everything, ...f }).map((r) => `${r.miner.miner} ${r.offer.model}`)

describe('the list of offers', () => {
  it('has those of miners that are there, the cheapest first, compared exactly', () => {
    expect(models({})).toEqual(['0xA <img src=x onerror=alert(1)>', '0xc embed', '0xc box', '0xb small', '0xA small'])
    expect(models({ down: true })[0]).toBe('0xA small')
  })
  it('is filtered', () => {
    expect(models({ q: 'SMALL 0xb' })).toEqual(['0xb small'])
    expect(models({ q: 'small', free: true })).toEqual(['0xA small'])
    expect(models({ kind: 'embeddings' })).toEqual(['0xc embed'])
    expect(models({ kind: 'container' })).toEqual(['0xc box'])
    expect(models({ gpu: 'H100' })).toHaveLength(1)
    expect(models({ gpu: 'CPU' })).toHaveLength(4)
    expect(models({ region: 'eu', level: 2 })).toHaveLength(1)
    expect(models({ level: 3 })).toHaveLength(0)
    expect(models({ shown: true })).not.toContain('0xc embed')
    expect(models({ most: '0.000000000000000007' })).toHaveLength(2)
  })
  it('has what is not known last, in both directions', () => {
    expect(models({ sort: 'speed' })[0]).toBe('0xb small')
    expect(models({ sort: 'speed', down: true })[0]).toBe('0xb small')
    expect(models({ sort: 'uptime', down: true })[0]).toMatch(/^0xA/)
    expect(uptime(rows[0]!.presence)).toBe(0.75)
  })
  it('offers what there is to filter by', () => {
    expect(choices(rows, (o) => o.gpu ?? 'CPU')).toEqual(['CPU', 'H100'])
    expect(choices(rows, (o) => o.region)).toEqual(['eu'])
  })
})

describe('the address', () => {
  it('says every filter and comes back', () => {
    const f: Filter = { q: 'a b&c=d', kind: 'chat', gpu: 'H100 <b>', region: 'eu', most: '0.5', level: 3, free: true, shown: true, sort: 'speed', down: true }
    expect(fromURL(new URLSearchParams(toURL(f)))).toEqual(f)
    expect(toURL(everything)).toBe('')
  })
  it('filters nothing by nonsense', () => {
    expect(fromURL(new URLSearchParams('?kind=x&level=99&sort=__proto__&most=-1&dir=up&free=yes'))).toEqual(everything)
    expect(fromURL(new URLSearchParams('?level=1.5&most=1e9'))).toEqual(everything)
    expect(fromURL(new URLSearchParams(`?q=${'x'.repeat(1000)}`)).q).toHaveLength(100)
  })
})
