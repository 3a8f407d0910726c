// The ports between pages and the worker: a page that goes, a worker that comes back.
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { FromWorker, ToWorker } from '../src/page/wire.js'
import { Ports } from '../src/worker/ports.js'
import { agree, connect, me, opened, second, site, waiting, type Bench } from './world.js'

/** One end of a port, with what came through it. */
class Port {
  heard: FromWorker[] = []
  closed = false
  #message: ((m: ToWorker) => void)[] = []
  #end: (() => void)[] = []
  sender: chrome.runtime.MessageSender
  onMessage = { addListener: (f: (m: ToWorker) => void) => this.#message.push(f) }
  onDisconnect = { addListener: (f: () => void) => this.#end.push(f) }

  constructor(documentId: string, origin = site.origin, tab = 1) {
    this.sender = { origin, documentId, frameId: 0, documentLifecycle: 'active', tab: { id: tab } as chrome.tabs.Tab }
  }
  postMessage = (m: FromWorker) => this.heard.push(m)
  disconnect = () => {
    this.closed = true
  }
  say = (m: ToWorker) => this.#message.forEach((f) => f(m))
  end = () => this.#end.forEach((f) => f())
}

const plug = (ports: Ports, p: Port) => ports.accept(p as unknown as chrome.runtime.Port)
const pay: ToWorker = { type: 'request', id: 'one', method: 'eth_sendTransaction', params: [{ from: me, to: second, value: '0x1' }] }

describe('a page', () => {
  let b: Bench
  let ports: Ports
  beforeEach(async () => {
    vi.stubGlobal('chrome', { runtime: {} })
    b = await opened()
    await connect(b, { ...site, documentId: 'P' })
    await b.core.requests.forget(() => true)
    ports = new Ports(b.core, b.provider, () => undefined)
  })

  it('has its answer through the port that it has by then, and takes it once', async () => {
    const before = new Port('P')
    plug(ports, before)
    before.say(pay)
    await vi.waitFor(() => waiting(b))
    // The worker ends; another has other ports, and the page asks again.
    b.restart()
    ports = new Ports(b.core, b.provider, () => undefined)
    const after = new Port('P')
    plug(ports, after)
    after.say(pay)
    const answer = await agree(b)
    await ports.deliver()
    await vi.waitFor(() => expect(after.heard).toEqual([{ type: 'answer', id: 'one', answer }]))
    after.say({ type: 'have', id: 'one' })
    await vi.waitFor(async () => expect(await b.core.requests.all()).toEqual([]))
    await ports.deliver()
    expect(after.heard).toHaveLength(1)
    expect(before.heard).toEqual([])
    expect(b.node.sent).toHaveLength(1)
  })

  it('that goes away takes with it what waits, and nobody else’s', async () => {
    const [mine, other] = [new Port('P'), new Port('Q', site.origin, 2)]
    plug(ports, mine)
    plug(ports, other)
    mine.say(pay)
    other.say({ ...pay, id: 'two' })
    await vi.waitFor(async () => expect(await b.core.requests.all()).toHaveLength(2))
    mine.end()
    await vi.waitFor(async () => expect((await b.core.requests.all()).map((r) => r.key)).toEqual(['Q/two']))
  })

  it('that went while the worker was stopped is forgotten when its tab has another, or none', async () => {
    for (const end of [(p: Ports) => plug(p, new Port('R')), (p: Ports) => p.closed(1)]) {
      plug(ports, new Port('P'))
      await b.provider.handle({ ...site, documentId: 'P' }, 'P/one', 'eth_sendTransaction', (pay as { params: unknown }).params)
      await b.provider.handle({ ...site, documentId: 'S', tabId: 3 }, 'S/one', 'eth_sendTransaction', (pay as { params: unknown }).params)
      b.restart()
      ports = new Ports(b.core, b.provider, () => undefined)
      end(ports)
      await vi.waitFor(async () => expect((await b.core.requests.all()).map((r) => r.key)).toEqual(['S/one']))
    }
  })

  it('cannot take the answer of another document, though it knows the name', async () => {
    const [mine, other] = [new Port('P'), new Port('Q', 'https://evil.example', 2)]
    plug(ports, mine)
    plug(ports, other)
    mine.say({ ...pay, method: 'eth_accounts' })
    other.say({ ...pay, method: 'eth_accounts' })
    await vi.waitFor(() => expect([mine.heard, other.heard]).toEqual([[{ type: 'answer', id: 'one', answer: { result: [me] } }], [{ type: 'answer', id: 'one', answer: { result: [] } }]]))
    other.say({ type: 'state' })
    await vi.waitFor(() => expect(other.heard[1]).toMatchObject({ state: { accounts: [] } }))
  })

  it('over plain http has no wallet', () => {
    const p = new Port('P', 'http://market.example')
    plug(ports, p)
    expect(p.closed).toBe(true)
  })
})
