import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Failure, insist } from '../src/ui/call.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A worker that says these, one after another. */
function worker(...answers: (string | Error)[]) {
  return vi.fn(async () => {
    const answer = answers.shift()
    if (typeof answer !== 'string') throw answer
    return answer
  })
}

it('a worker that was stopped is told again until it hears', async () => {
  const say = worker(new Error('No SW'), new Error('No SW'), new Failure('Silent', 'no answer'), 'heard')
  const told = insist(say)
  await vi.runAllTimersAsync()
  expect(await told).toBe('heard')
  expect(say).toHaveBeenCalledTimes(4)
})

it('what a worker refuses is said once', async () => {
  const say = worker(new Failure('Unfit', 'It waits no more.'))
  await expect(insist(say)).rejects.toThrow('It waits no more.')
  expect(say).toHaveBeenCalledTimes(1)
})

it('a worker that never answers is given up', async () => {
  const say = vi.fn(async () => {
    throw new Error('No SW')
  })
  const told = insist(say).catch((e: Error) => e.message)
  await vi.runAllTimersAsync()
  expect(await told).toBe('No SW')
  expect(say.mock.calls.length).toBeGreaterThan(3)
})
