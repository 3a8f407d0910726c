import { units } from '@aitbc/shared/format'
import { expect, it } from 'vitest'
import { estimate, usual, wishOf, wishURL } from '../src/market/estimate.js'

const rates = { prompt_rate: '100000000000000000', completion_rate: '500000000000000000' }

it('an estimate is the price that the contract takes, rounded up once for each job', () => {
  expect(estimate(rates, { ...usual, prompt: 1n, completion: 0n, jobs: 1n })).toEqual({ job: 100_000_000_000n, all: 100_000_000_000n })
  expect(estimate({ prompt_rate: '1', completion_rate: '0' }, { ...usual, prompt: 1n, completion: 0n, jobs: 3n })).toEqual({ job: 1n, all: 3n })
  expect(estimate({ prompt_rate: '0', completion_rate: '0', second_rate: '7', item_rate: '5' }, { prompt: 0n, completion: 0n, seconds: 2n, items: 3n, jobs: 1n }).job).toBe(29n)
  const huge = estimate({ prompt_rate: '340282366920938463463374607431768211455', completion_rate: '0' }, { ...usual, prompt: 10n ** 15n, completion: 0n, jobs: 10n ** 15n })
  expect(huge.all).toBe(340282366920938463463374607431768211455n * 10n ** 24n)
})

it('a wish lives in the address', () => {
  const w = { prompt: 1n, completion: 2n, seconds: 3n, items: 4n, jobs: 10n ** 15n }
  expect(wishOf(new URLSearchParams(wishURL(w)))).toEqual(w)
  expect(wishURL(usual)).toBe('')
  expect(wishOf(new URLSearchParams('?prompt=-1&completion=1e5&jobs=99999999999999999&items=x'))).toEqual(usual)
})

it('coins that a person writes are exact, or none', () => {
  expect(units('1.5')).toBe(15n * 10n ** 17n)
  expect(units('0.000000000000000001')).toBe(1n)
  expect(units('1,234.5')).toBe(12345n * 10n ** 17n)
  for (const text of ['', '-1', '1e3', '0.0000000000000000001', '1,2', '.5', 'x', '0x1', '1 2']) expect(units(text), text).toBeNull()
})
