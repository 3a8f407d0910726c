// The provider that pages see: EIP-1193, announced by EIP-6963. It runs in the
// page, so it knows nothing that the page may not know.
import { channel, type FromProvider, type PageState, type ToProvider } from './wire.js'
import { icon } from './icon.js'

type Listener = (...args: unknown[]) => void

/** An error as EIP-1193 has it. */
class ProviderRpcError extends Error {
  override name = 'ProviderRpcError'
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message)
  }
}

class Provider {
  readonly isAITBC = true
  #next = 1
  #waiting = new Map<number, { resolve: (v: unknown) => void; reject: (e: Error) => void }>()
  #listeners = new Map<string, Set<Listener>>()
  #state: PageState | null = null

  constructor() {
    window.addEventListener('message', (event) => {
      const m = event.data as ToProvider
      if (event.source !== window || m?.channel !== channel || m.to !== 'page') return
      if (m.type === 'state') this.#learn(m.state)
      else this.#settle(m)
    })
  }

  /** Asks the wallet. What it refuses is an error with a code of EIP-1193. */
  request = (args: { method: string; params?: unknown }): Promise<unknown> => {
    const method = args?.method
    if (typeof method !== 'string' || method === '') return Promise.reject(new ProviderRpcError(-32600, 'A request names a method.'))
    let params: unknown
    try {
      params = args.params === undefined ? undefined : JSON.parse(JSON.stringify(args.params))
    } catch {
      return Promise.reject(new ProviderRpcError(-32602, 'The parameters are no JSON.'))
    }
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#post({ channel, to: 'wallet', type: 'request', id, method, params })
    })
  }

  isConnected = (): boolean => this.#state?.online ?? false

  on = (event: string, listener: Listener): this => {
    if (typeof listener !== 'function') return this
    if (this.#listeners.size === 0) this.#post({ channel, to: 'wallet', type: 'watch' })
    const set = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, set.add(listener))
    return this
  }

  removeListener = (event: string, listener: Listener): this => {
    this.#listeners.get(event)?.delete(listener)
    return this
  }

  #post(m: FromProvider): void {
    window.postMessage(m, window.location.origin)
  }

  #settle(m: ToProvider & { type: 'answer' }): void {
    const w = this.#waiting.get(m.id)
    this.#waiting.delete(m.id)
    if (!w) return
    if ('result' in m.answer) w.resolve(m.answer.result)
    else w.reject(new ProviderRpcError(m.answer.error.code, m.answer.error.message, m.answer.error.data))
    if (!this.#state) this.#post({ channel, to: 'wallet', type: 'watch' })
  }

  #learn(now: PageState): void {
    const before = this.#state
    this.#state = now
    if (now.online && !before?.online && now.chainId) this.#emit('connect', { chainId: now.chainId })
    if (before?.online && !now.online) this.#emit('disconnect', new ProviderRpcError(4900, 'The wallet has lost its node.'))
    if (!before) return
    if (now.chainId && before.chainId !== now.chainId) this.#emit('chainChanged', now.chainId)
    if (before.accounts.join() !== now.accounts.join()) this.#emit('accountsChanged', now.accounts)
  }

  #emit(event: string, payload: unknown): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(payload)
      } catch (e) {
        setTimeout(() => {
          throw e // it is the page's, and its console should show it
        })
      }
    }
  }
}

const provider = new Provider()
const detail = Object.freeze({ info: Object.freeze({ uuid: crypto.randomUUID(), name: 'AITBC Wallet', icon, rdns: 'com.github.aitbc.aitbc' }), provider })
const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }))
window.addEventListener('eip6963:requestProvider', announce)
announce()

Object.defineProperty(window, 'aitbc', { value: provider, configurable: true, writable: true })
// Whoever comes later may have the common name.
if (!('ethereum' in window)) Object.defineProperty(window, 'ethereum', { value: provider, configurable: true, writable: true })
