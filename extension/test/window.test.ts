import { expect, it } from 'vitest'
import { Requests } from '../src/provider/requests.js'
import { ApprovalWindow } from '../src/worker/window.js'
import { Memory } from './world.js'

/** A browser whose windows are numbers. */
function bench() {
  const open = new Set<number>()
  let last = 0
  const session = new Memory()
  const requests = new Requests(session, () => 0)
  const make = () =>
    new ApprovalWindow(session, requests, {
      open: async () => {
        open.add(++last)
        return last
      },
      focus: async (id) => open.has(id),
    })
  const ask = (key: string) => requests.enter(key, { origin: 'https://site.example', tabId: 1, documentId: 'd' }, { kind: 'connect', permissions: key === 'second' }, 1)
  return { open, requests, make, ask }
}

it('there is one window, also after the worker was stopped', async () => {
  const b = bench()
  await b.ask('first')
  await b.make().show()
  await b.make().show()
  expect([...b.open]).toEqual([1])
  b.open.clear()
  await b.make().show()
  expect([...b.open]).toEqual([2])
})

it('a window that closes by itself is no answer to what comes next', async () => {
  const b = bench()
  const w = b.make()
  await b.ask('first')
  await w.show()
  await b.requests.reject('first')
  expect(await w.leave(1)).toBe(true)
  // The next request comes before the window is gone.
  await b.ask('second')
  await w.show()
  expect([...b.open]).toEqual([1, 2])
  expect(await w.closed(1)).toBe(false)
  expect(await w.closed(2)).toBe(true)
  expect(await w.closed(2)).toBe(false)
})

it('a window stays for what came before it let go', async () => {
  const b = bench()
  const w = b.make()
  await b.ask('first')
  await w.show()
  await b.requests.reject('first')
  await b.ask('second')
  expect(await w.leave(1)).toBe(false)
  await w.show()
  expect([...b.open]).toEqual([1])
  expect(await w.closed(1)).toBe(true)
})
