// The head as it moves: one stream for the whole page.
import type { Block, Status } from '@aitbc/shared'
import { useSyncExternalStore } from 'react'

interface Tick extends Block {
  status: Status
}

/** How many of the newest blocks the strip shows. */
const kept = 30

interface Live {
  status: Status | null
  blocks: Block[]
  connected: boolean
}

let live: Live = { status: null, blocks: [], connected: false }
const watchers = new Set<() => void>()
let stream: EventSource | undefined

function set(next: Partial<Live>): void {
  live = { ...live, ...next }
  watchers.forEach((w) => w())
}

function start(): void {
  stream = new EventSource('/api/head')
  stream.addEventListener('open', () => set({ connected: true }))
  stream.addEventListener('error', () => {
    set({ connected: false })
    // A refusal closes the stream for good, unlike a connection that broke.
    if (stream?.readyState === EventSource.CLOSED) setTimeout(start, 5_000)
  })
  stream.addEventListener('block', (e) => {
    const { status, ...block } = JSON.parse((e as MessageEvent<string>).data) as Tick
    const others = live.blocks.filter((b) => b.height !== block.height)
    set({ status, blocks: [block, ...others].slice(0, kept), connected: true })
  })
}

function watch(tell: () => void): () => void {
  watchers.add(tell)
  if (!stream) start()
  return () => watchers.delete(tell)
}

/** The newest blocks and figures, as they come. */
export function useLive(): Live {
  return useSyncExternalStore(watch, () => live)
}

/** The figures of the newest block; null before the first. */
export function useHead(): Status | null {
  return useLive().status
}
