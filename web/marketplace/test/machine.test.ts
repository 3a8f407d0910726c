import { describe, expect, it } from 'vitest'
import { busy, fit, money, next, phase, type Kept, type OnChain, type Step, type Turn } from '../src/play/machine.js'

const kept: Kept = { spender: '0x1', client: '0x2', chain: 1, coordinator: '0x3', deposit: '10', expiry: 100, made: 0, since: 4, session: 5, keyed: true }
const chain = (state: number, more: Partial<OnChain> = {}): OnChain => ({ state, deposit: 10n, debited: 3n, expiry: 100n, dueAt: 100n, ...more })

describe('a session', () => {
  it('stands as the chain says, and not as the browser remembers', () => {
    expect(phase({ ...kept, session: undefined }, undefined, 0)).toBe('asking')
    expect(phase(kept, undefined, 0)).toBe('looking')
    expect(phase({ ...kept, keyed: false }, chain(1), 0)).toBe('unkeyed')
    expect(phase(kept, chain(1), 99)).toBe('open')
    expect(phase(kept, chain(1), 100)).toBe('due')
    expect(phase(kept, chain(2, { dueAt: 50n }), 49)).toBe('closing')
    expect(phase(kept, chain(2, { dueAt: 50n }), 50)).toBe('due')
    expect(phase({ ...kept, keyed: false }, chain(3), 0)).toBe('closed')
  })
  it('has no coin that is neither paid nor there', () => {
    const m = money(chain(3))
    expect(m.paid + m.rest).toBe(m.deposit)
    expect(m.rest).toBe(7n)
  })
})

const run = (...steps: Step[]) => steps.reduce<readonly Turn[]>(next, [])
const ask: Step = { type: 'ask', question: 'q', sealed: true }
const end = (state: string, more: Partial<Extract<Step, { type: 'end' }>> = {}): Step => ({ type: 'end', state, output: 'whole', price: '7', matches: true, receipt: '0x9', ...more })

describe('a conversation', () => {
  it('goes from question to receipt', () => {
    const t = run(ask, { type: 'ordered', job: '0x5' }, { type: 'state', state: 'running' }, { type: 'token', index: 0, text: 'a' }, { type: 'token', index: 1, text: 'b' })
    expect(t.at(-1)).toMatchObject({ text: 'ab', state: 'running', tokens: 2, job: '0x5' })
    expect(busy(t)).toBe(true)
    const over = next(t, end('completed'))
    expect(over.at(-1)).toMatchObject({ text: 'whole', state: 'done', price: '7', receipt: '0x9' })
    expect(busy(over)).toBe(false)
  })
  it('begins anew when another miner does', () => {
    expect(run(ask, { type: 'token', index: 0, text: 'old' }, { type: 'token', index: 1, text: 'er' }, { type: 'token', index: 0, text: 'new' }).at(-1)).toMatchObject({ text: 'new', tokens: 1 })
  })
  it('stops, and stays so until the job says that it has', () => {
    const t = run(ask, { type: 'stop' }, { type: 'ordered', job: '0x5' }, { type: 'state', state: 'running' }, { type: 'token', index: 0, text: 'late' })
    expect(t.at(-1)).toMatchObject({ state: 'stopping', text: 'late' })
    expect(next(t, end('canceled', { output: '' })).at(-1)).toMatchObject({ state: 'stopped', text: 'late', price: '7' })
  })
  it('says what a failure costs', () => {
    expect(run(ask, end('failed', { price: '0', error: { code: 'x', message: 'out of memory' } })).at(-1)!.trouble!.text).toBe('out of memory. It costs nothing.')
    expect(run(ask, end('expired', { price: '0' })).at(-1)!.trouble!.text).toMatch(/in time.*nothing/)
  })
  it('takes one question at a time, and nothing after the end', () => {
    expect(run(ask, ask)).toHaveLength(1)
    expect(run(ask, { type: 'clear' })).toHaveLength(1)
    const over = run(ask, end('completed'))
    expect(next(over, { type: 'token', index: 0, text: 'x' })).toBe(over)
    expect(next(over, { type: 'clear' })).toEqual([])
  })
})

describe('what is sent', () => {
  const turn = (question: string, text: string, state: Turn['state'] = 'done'): Turn => ({ question, text, state, tokens: 1, sealed: true })
  it('is as much of the end as fits', () => {
    const turns = [turn('old', 'x'.repeat(100)), turn('b', 'no answer', 'failed'), turn('q', 'a')]
    expect(fit(turns, 'now', 1000, 100)!.map((m) => m.content)).toEqual(['old', 'x'.repeat(100), 'q', 'a', 'now'])
    expect(fit(turns, 'now', 186, 100)!.map((m) => m.content)).toEqual(['q', 'a', 'now'])
    expect(fit(turns, 'now', 140, 100)!.map((m) => m.content)).toEqual(['now'])
    expect(fit(turns, 'now', 134, 100)).toBeNull()
  })
  it('counts bytes, not characters', () => {
    expect(fit([], 'é'.repeat(10), 100 + 32 + 20, 100)).not.toBeNull()
    expect(fit([], 'é'.repeat(10), 100 + 32 + 19, 100)).toBeNull()
  })
})
