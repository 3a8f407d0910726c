// Storage by name. A write replaces one value as a whole: what is stored is the
// old value or the new one, whenever the browser dies.

/** An area of chrome.storage, or a test's. */
export interface Area {
  get(key: string): Promise<Record<string, unknown>>
  set(items: Record<string, unknown>): Promise<void>
  remove(key: string): Promise<void>
}

/** Lets one task run after another. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(task: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(task, task)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}

/** One stored value. Changes of one Slot come one after another. */
export class Slot<T> {
  readonly #turn = new Turn()

  constructor(
    private readonly area: Area,
    private readonly key: string,
    private readonly otherwise: () => T,
  ) {}

  async get(): Promise<T> {
    const found = await this.area.get(this.key)
    return Object.hasOwn(found, this.key) ? (found[this.key] as T) : this.otherwise()
  }

  /** Stores what change makes of the value; nothing, if it returns the value itself or throws. */
  change<R>(change: (old: T) => Promise<[T, R]> | [T, R]): Promise<R> {
    return this.#turn.take(async () => {
      const old = await this.get()
      const [next, result] = await change(old)
      if (next !== old) await this.area.set({ [this.key]: next })
      return result
    })
  }

  async set(value: T): Promise<void> {
    await this.change(() => [value, undefined])
  }

  async clear(): Promise<void> {
    await this.#turn.take(() => this.area.remove(this.key))
  }
}
