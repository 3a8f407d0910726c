import { expect, it } from 'vitest'
import { ago, coins, count, percent, short } from '../src/format.js'

it('amounts keep every unit', () => {
  expect(coins('0')).toBe('0')
  expect(coins('1')).toBe('0.000000000000000001')
  expect(coins('1000000000000000000')).toBe('1')
  expect(coins('1234567000000000000000001')).toBe('1,234,567.000000000000000001')
  expect(coins('100000000000000000')).toBe('0.1')
  expect(coins('1234567', 6)).toBe('1.234567')
  expect(coins('1234', 0)).toBe('1,234')
})

it('the rest is short', () => {
  expect(count(1234567)).toBe('1,234,567')
  expect(count(12)).toBe('12')
  expect(percent(500)).toBe('5 %')
  expect(percent(1025)).toBe('10.25 %')
  expect(short('0x1234567890abcdef1234567890abcdef12345678')).toBe('0x123456…345678')
  expect(ago(0, 61_000)).toBe('1 min ago')
  expect(ago(10, 0)).toBe('0 s ago')
})
