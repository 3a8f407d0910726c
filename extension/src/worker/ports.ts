// The pages that listen, and what they are still to be told.
import type { FromWorker, ToWorker } from '../page/wire.js'
import type { Provider } from '../provider/provider.js'
import type { Request, Site } from '../provider/requests.js'
import type { Core } from './core.js'

/** Who is at the other end of a port, as the browser has it; null for who gets no wallet. */
export function siteOf(sender: chrome.runtime.MessageSender | undefined): Site | null {
  const { origin, tab, documentId, frameId } = sender ?? {}
  if (!origin || tab?.id === undefined || !documentId || frameId !== 0) return null
  const good = /^https:\/\/[^/]+$/.test(origin) || /^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/.test(origin)
  return good ? { origin, tabId: tab.id, documentId } : null
}

interface Listening {
  port: chrome.runtime.Port
  site: Site
}

export class Ports {
  readonly #open = new Map<string, Listening>()

  constructor(
    private readonly core: Core,
    private readonly provider: Provider,
    private readonly changed: () => void,
  ) {}

  accept(port: chrome.runtime.Port): void {
    const site = siteOf(port.sender)
    if (!site) {
      port.disconnect()
      return
    }
    this.#open.set(site.documentId, { port, site })
    // What a page asked that was in this tab before, and went while the worker was stopped.
    if (port.sender?.documentLifecycle === 'active') this.#forget((r) => r.site?.tabId === site.tabId && r.site.documentId !== site.documentId)
    port.onMessage.addListener((m: ToWorker) => void this.#heard(port, site, m))
    port.onDisconnect.addListener(() => {
      void chrome.runtime.lastError
      // A page that comes back has a new port before the old one ends, or asks again.
      if (this.#open.get(site.documentId)?.port !== port) return
      this.#open.delete(site.documentId)
      this.#forget((r) => r.site?.documentId === site.documentId)
    })
  }

  /** A tab was closed, and with it went who asked. */
  closed(tabId: number): void {
    this.#forget((r) => r.site?.tabId === tabId)
  }

  #forget(gone: (r: Request) => boolean): void {
    void this.core.requests.forget(gone).then(this.changed)
  }

  async #heard(port: chrome.runtime.Port, site: Site, m: ToWorker): Promise<void> {
    if (m.type === 'state') {
      say(port, { type: 'state', state: await this.provider.state(site.origin) })
      return
    }
    if (typeof m.id !== 'string' || m.id.length > 64) return
    const key = `${site.documentId}/${m.id}`
    if (m.type === 'have') {
      await this.core.requests.forget((r) => r.key === key && r.state === 'answered')
      return
    }
    if (typeof m.method !== 'string') return
    const answer = await this.provider.handle(site, key, m.method, m.params)
    if (answer) say(port, { type: 'answer', id: m.id, answer })
  }

  /** Tells pages the answers that they wait for. A page that was told already takes it once. */
  async deliver(): Promise<void> {
    for (const r of await this.core.requests.all()) {
      const there = r.site && this.#open.get(r.site.documentId)
      if (there && r.answer) say(there.port, { type: 'answer', id: r.key.slice(r.key.indexOf('/') + 1), answer: r.answer })
    }
  }
}

function say(port: chrome.runtime.Port, m: FromWorker): void {
  try {
    port.postMessage(m)
  } catch {
    // The page is gone.
  }
}
