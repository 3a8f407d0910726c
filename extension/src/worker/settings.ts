// What the person has chosen.
import type { Address } from 'viem'
import { Slot, type Area } from './store.js'

export interface Settings {
  /** The wallet locks itself after so many minutes without anybody. */
  lockMinutes: number
  /** What cannot be decoded may be signed. */
  blind: boolean
  /** The account in use; null for the first. */
  account: Address | null
}

export const lockChoices = [1, 5, 15, 60, 240]

export class SettingsSlot {
  readonly #slot: Slot<Settings>

  constructor(local: Area) {
    this.#slot = new Slot<Settings>(local, 'settings', () => ({ lockMinutes: 15, blind: false, account: null }))
  }

  get(): Promise<Settings> {
    return this.#slot.get()
  }

  async change(part: Partial<Settings>): Promise<void> {
    await this.#slot.change((s): [Settings, undefined] => [{ ...s, ...part }, undefined])
  }
}
