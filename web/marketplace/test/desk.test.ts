import type { Event } from '@aitbc/shared'
import { expect, it } from 'vitest'
import { bars, sum } from '../src/desk/earnings.js'
import { reasons } from '../src/desk/why.js'
import type { Miner, Network, Offer } from '../src/types.js'

const paid = (at: number, amount: string) => ({ time: new Date(at).toISOString(), args: { paid: amount } }) as unknown as Event

it('earnings are exact, in their step, and quiet steps are there', () => {
  const list = [paid(1_000, '9007199254740993'), paid(1_900, '2'), paid(3_000, '5'), paid(99_000, '1')]
  expect(bars(list, 1_000, 3_500, 3)).toEqual([{ at: 1_000, value: 9007199254740995n }, { at: 2_000, value: 0n }, { at: 3_000, value: 5n }])
  expect(sum(list)).toBe(9007199254741001n)
})

const offer = (rate: string) => ({ model: 'm', prompt_rate: '1', completion_rate: rate }) as Offer
const miner = (id: string, more: Partial<Miner> = {}): Miner => ({ miner: id, state: 'online', slots: 1, free_slots: 1, offers: [offer('10')], last_seen: 0, completed: 0, reputation: 0, ...more })
const net = (queued: number) => ({ queued_jobs: queued }) as Network
const say = (m: Miner | undefined, all: Miner[] = [], queued = 0, jailed = 0) => reasons(m, all, net(queued), jailed, 1_000_000).map((r) => r.text).join('\n')

it('each reason for no work is said', () => {
  expect(say(undefined)).toMatch(/does not know/)
  expect(say(miner('a'), [], 0, 2_000)).toMatch(/^The registry has it jailed/)
  expect(say(miner('a', { state: 'offline' }))).toMatch(/does not answer/)
  expect(say(miner('a', { state: 'draining' }))).toMatch(/draining/)
  expect(say(miner('a', { offers: null }))).toMatch(/offers nothing/)
  expect(say(miner('a', { free_slots: 0 }))).toMatch(/at work/)
  expect(say(miner('a'), [miner('a'), miner('b', { offers: [offer('9')] }), miner('c', { offers: [offer('8')], free_slots: 0 })], 3)).toMatch(/^1 machine that is free offers m for less, from 0.000000000000000009/)
  expect(say(miner('a'))).toBe('No job waits at the coordinator now.')
  expect(say(miner('a'), [], 2)).toMatch(/2 jobs wait/)
})
