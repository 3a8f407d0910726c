// What the three scripts of a page say to one another. The page's own script can
// say all of this too: nothing here is believed but what the browser adds.
import type { Answer } from '../provider/errors.js'

/** Marks messages between the provider in the page and the script beside it. */
export const channel = 'aitbc-wallet'

export interface PageState {
  chainId: string | null
  accounts: string[]
  online: boolean
}

/** From the provider to the script beside it. */
export type FromProvider = { channel: typeof channel; to: 'wallet' } & ({ type: 'request'; id: number; method: string; params: unknown } | { type: 'watch' })

/** From the script beside it to the provider. */
export type ToProvider = { channel: typeof channel; to: 'page' } & ({ type: 'answer'; id: number; answer: Answer } | { type: 'state'; state: PageState })

/** From a page's script to the worker. */
export type ToWorker = { type: 'request'; id: string; method: string; params: unknown } | { type: 'have'; id: string } | { type: 'state' }

/** From the worker to a page's script. */
export type FromWorker = { type: 'answer'; id: string; answer: Answer } | { type: 'state'; state: PageState }

/** Told to all pages when something changed: those that watch ask for their state. */
export const ping = 'aitbc-changed'
