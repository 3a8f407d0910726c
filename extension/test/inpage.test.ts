// The provider in a page, without a wallet behind it.
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { FromProvider, PageState, ToProvider } from '../src/page/wire.js'

interface Provider {
  request: (a: { method: string; params?: unknown }) => Promise<unknown>
  on: (event: string, f: (payload: unknown) => void) => unknown
  removeListener: (event: string, f: (payload: unknown) => void) => unknown
  isConnected: () => boolean
}

/** A page's window, as far as the provider needs one. */
class Page extends EventTarget {
  location = { origin: 'https://market.example' }
  posted: FromProvider[] = []
  announced: { info: { rdns: string; icon: string }; provider: Provider }[] = []
  aitbc!: Provider
  declare ethereum?: unknown
  postMessage = (m: FromProvider) => this.posted.push(m)

  hear(message: Record<string, unknown>, source: unknown = this) {
    this.dispatchEvent(Object.assign(new Event('message'), { data: { channel: 'aitbc-wallet', to: 'page', ...message } as unknown as ToProvider, source }))
  }
  state = (s: Partial<PageState>) => this.hear({ type: 'state', state: { chainId: '0x1', accounts: [], online: true, ...s } })
}

async function load(ethereum?: unknown): Promise<Page> {
  const page = new Page()
  if (ethereum) page.ethereum = ethereum
  page.addEventListener('eip6963:announceProvider', (e) => page.announced.push((e as CustomEvent).detail))
  vi.stubGlobal('window', page)
  vi.resetModules()
  await import('../src/page/inpage.js')
  return page
}

describe('the provider', () => {
  let page: Page
  beforeEach(async () => {
    page = await load()
  })

  it('is announced, again for who asks, and has the common name only where nobody has it', async () => {
    page.dispatchEvent(new Event('eip6963:requestProvider'))
    expect(page.announced.map((a) => a.provider === page.aitbc && a.info.rdns)).toEqual(['com.github.aitbc.aitbc', 'com.github.aitbc.aitbc'])
    expect(page.announced[0]!.info.icon).toMatch(/^data:image\/svg/)
    expect(page.ethereum).toBe(page.aitbc)
    const other = { isSomebodyElse: true }
    expect((await load(other)).ethereum).toBe(other)
  })

  it('answers each request with its own answer, and errors with their codes', async () => {
    const [a, b] = [page.aitbc.request({ method: 'eth_chainId' }), page.aitbc.request({ method: 'eth_sign', params: [1] })]
    const [first, second] = page.posted as (FromProvider & { id: number })[]
    page.hear({ type: 'answer', id: second!.id, answer: { error: { code: 4200, message: 'no' } } })
    page.hear({ type: 'answer', id: first!.id, answer: { result: '0x1' } })
    page.hear({ type: 'answer', id: first!.id, answer: { result: 'again' } })
    expect(await a).toBe('0x1')
    await expect(b).rejects.toMatchObject({ code: 4200, message: 'no' })
  })

  it('refuses what is no request', async () => {
    const round: { self?: unknown } = {}
    round.self = round
    await expect(page.aitbc.request({} as never)).rejects.toMatchObject({ code: -32600 })
    await expect(page.aitbc.request({ method: 'x', params: round })).rejects.toMatchObject({ code: -32602 })
    expect(page.posted).toEqual([])
  })

  it('tells what changed, and that alone', () => {
    const heard: [string, unknown][] = []
    for (const name of ['connect', 'disconnect', 'chainChanged', 'accountsChanged']) page.aitbc.on(name, (payload) => heard.push([name, payload]))
    expect(page.posted.filter((m) => m.type === 'watch')).toHaveLength(1)
    page.state({})
    page.state({})
    expect([page.aitbc.isConnected(), heard.splice(0)]).toEqual([true, [['connect', { chainId: '0x1' }]]])
    page.state({ accounts: ['0xA'] })
    page.state({ accounts: ['0xA'], chainId: '0x2' })
    expect(heard.splice(0)).toEqual([['accountsChanged', ['0xA']], ['chainChanged', '0x2']])
    page.state({ accounts: ['0xA'], chainId: '0x2', online: false })
    expect([page.aitbc.isConnected(), heard]).toEqual([false, [['disconnect', expect.objectContaining({ code: 4900 })]]])
  })

  it('hears nobody but the window itself, and no listener that was removed', () => {
    const heard = vi.fn()
    page.aitbc.on('accountsChanged', heard)
    page.state({})
    page.hear({ type: 'state', state: { chainId: '0x1', accounts: ['0xE'], online: true } }, new EventTarget())
    page.aitbc.removeListener('accountsChanged', heard)
    page.state({ accounts: ['0xA'] })
    expect(heard).not.toHaveBeenCalled()
  })
})
