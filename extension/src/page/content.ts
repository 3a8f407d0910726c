// Stands between a page and the worker. It keeps what the page asked until there
// is an answer, and asks again under the same name when the worker was stopped
// in between: the worker does a thing of one name once.
import { channel, ping, type FromProvider, type FromWorker, type ToProvider, type ToWorker } from './wire.js'

interface Waiting {
  page: number
  method: string
  params: unknown
}

const waiting = new Map<string, Waiting>()
let watching = false
let port: chrome.runtime.Port | null = null
let backoff = 50

function toPage(message: ToProvider): void {
  window.postMessage(message, window.location.origin)
}

function answer(page: number, a: FromWorker & { type: 'answer' }): void {
  toPage({ channel, to: 'page', type: 'answer', id: page, answer: a.answer })
}

/** The port to the worker, which starts the worker if it must; null when this script is of an extension that was replaced. */
function open(): chrome.runtime.Port | null {
  if (port) return port
  try {
    port = chrome.runtime.connect({ name: 'page' })
  } catch {
    for (const [id, w] of waiting) answer(w.page, { type: 'answer', id, answer: { error: { code: 4900, message: 'The wallet was updated: load this page again.' } } })
    waiting.clear()
    return null
  }
  port.onMessage.addListener(heard)
  port.onDisconnect.addListener(() => {
    void chrome.runtime.lastError // the worker may be stopped at any time
    port = null
    if (waiting.size === 0) return
    setTimeout(again, backoff)
    backoff = Math.min(2 * backoff, 5_000)
  })
  return port
}

function again(): void {
  if (port || waiting.size === 0) return
  for (const [id, w] of waiting) send({ type: 'request', id, method: w.method, params: w.params })
}

function send(message: ToWorker): void {
  open()?.postMessage(message)
}

function heard(message: FromWorker): void {
  backoff = 50
  if (message.type === 'state') {
    toPage({ channel, to: 'page', type: 'state', state: message.state })
    return
  }
  const w = waiting.get(message.id)
  waiting.delete(message.id)
  send({ type: 'have', id: message.id })
  if (w) answer(w.page, message)
}

window.addEventListener('message', (event) => {
  const m = event.data as FromProvider
  if (event.source !== window || event.origin !== window.location.origin || m?.channel !== channel || m.to !== 'wallet') return
  watching = true
  if (m.type === 'watch') {
    send({ type: 'state' })
  } else if (m.type === 'request' && Number.isSafeInteger(m.id) && typeof m.method === 'string') {
    const id = crypto.randomUUID()
    waiting.set(id, { page: m.id, method: m.method, params: m.params })
    send({ type: 'request', id, method: m.method, params: m.params })
  }
})

chrome.runtime.onMessage.addListener((message) => {
  if (message === ping && watching) send({ type: 'state' })
})

// A page that comes back out of the browser's cache has lost its port.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) again()
})
