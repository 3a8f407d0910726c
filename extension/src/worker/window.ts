// The one window for what waits. That it closes by itself says nothing; that the
// person closes it is a no to all that it was there for.
import type { Requests } from '../provider/requests.js'
import { Slot, type Area } from './store.js'

/** What the browser does with windows. */
export interface Windows {
  /** Opens one that shows what waits. */
  open: () => Promise<number | null>
  /** Brings one to the front; false if it is gone. */
  focus: (id: number) => Promise<boolean>
}

export class ApprovalWindow {
  readonly #shown: Slot<number | null>

  constructor(
    session: Area,
    private readonly requests: Requests,
    private readonly windows: Windows,
  ) {
    this.#shown = new Slot<number | null>(session, 'window', () => null)
  }

  /** Shows what waits. */
  async show(): Promise<void> {
    await this.#shown.change(async (id): Promise<[number | null, undefined]> => {
      if (id !== null && (await this.windows.focus(id))) return [id, undefined]
      return [await this.windows.open(), undefined]
    })
  }

  /** Lets go of a window that is about to close by itself: what is asked from then on gets another. False if something waits: then it stays. */
  leave(window: number): Promise<boolean> {
    return this.#shown.change(async (id): Promise<[number | null, boolean]> => {
      const waits = (await this.requests.all()).some((r) => r.site && r.state === 'waiting')
      return waits ? [id, false] : [id === window ? null : id, true]
    })
  }

  /** A window is gone. True if it was closed by the person while it showed what waits. */
  closed(window: number): Promise<boolean> {
    return this.#shown.change((id): [number | null, boolean] => (id === window ? [null, true] : [id, false]))
  }
}
