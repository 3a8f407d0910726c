// Asking the worker, and showing what it knows.
import { useCallback, useEffect, useRef, useState } from 'react'
import { ping } from '../page/wire.js'
import type { Commands } from '../worker/commands.js'

/** What the worker refused, and why. */
export class Failure extends Error {
  constructor(
    override readonly name: string,
    message: string,
  ) {
    super(message)
  }
}

/** Has the worker do something. It throws a {@link Failure}. */
export async function call<K extends keyof Commands>(command: K, ...args: Parameters<Commands[K]>): Promise<Awaited<ReturnType<Commands[K]>>> {
  const answer = (await chrome.runtime.sendMessage({ command, args })) as { value?: unknown; error?: { name: string; message: string } } | undefined
  if (!answer) throw new Failure('Silent', 'The wallet does not answer. Close this window and open it again.')
  if (answer.error) throw new Failure(answer.error.name, answer.error.message)
  return answer.value as Awaited<ReturnType<Commands[K]>>
}

/** Says again what a worker did not answer that the browser stopped just then, until one hears it that was started after. For what counts once however often it is said. */
export async function insist<T>(say: () => Promise<T>): Promise<T> {
  for (let pause = 50; ; pause *= 2) {
    try {
      return await say()
    } catch (e) {
      if ((e instanceof Failure && e.name !== 'Silent') || pause > 2000) throw e
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

/** Something that is fetched, while there is none, and when there will be none. */
export interface Loaded<T> {
  value: T | undefined
  error: Error | undefined
  again: () => void
}

/** Fetches when what it depends on changes, when the worker says that something did, and every so many milliseconds. */
export function useLoad<T>(fetch: () => Promise<T>, on: unknown[], every?: number): Loaded<T> {
  const [state, set] = useState<{ value?: T; error?: Error; of?: string }>({})
  const round = useRef(0)
  const key = JSON.stringify(on)
  const latest = useRef(fetch)
  latest.current = fetch
  const again = useCallback(() => {
    const mine = ++round.current
    latest.current().then(
      (value) => mine === round.current && set({ value, of: key }),
      (error: Error) => mine === round.current && set((old) => ({ ...old, error, of: key })),
    )
  }, [key])
  useEffect(() => {
    again()
    const heard = (message: unknown) => {
      if (message === ping) again()
    }
    chrome.runtime.onMessage.addListener(heard)
    const timer = every === undefined ? undefined : setInterval(again, every)
    return () => {
      round.current++
      chrome.runtime.onMessage.removeListener(heard)
      clearInterval(timer)
    }
  }, [again, every])
  const current = state.of === key
  return { value: current ? state.value : undefined, error: current ? state.error : undefined, again }
}

/** Does something once at a time, and keeps why it failed. */
export function useTask(): { busy: boolean; error: Error | undefined; run: (task: () => Promise<void>) => void; clear: () => void } {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Error>()
  const running = useRef(false)
  const run = useCallback((task: () => Promise<void>) => {
    if (running.current) return
    running.current = true
    setBusy(true)
    setError(undefined)
    task()
      .catch(setError)
      .finally(() => {
        running.current = false
        setBusy(false)
      })
  }, [])
  return { busy, error, run, clear: useCallback(() => setError(undefined), []) }
}
