// The networks that the person knows, the one in use, and whether its node is
// the one that it was.
import { devnet, NotOurs, probe, type Network } from '../chain/network.js'
import { ask as askOver, Unreachable, type Ask } from '../chain/rpc.js'
import { Unfit } from './keys.js'
import { Slot, type Area } from './store.js'

interface Stored {
  list: Network[]
  selected: string
}

/** How the node in use stands. */
export type Health =
  | { state: 'ok'; chainId: number }
  | { state: 'offline'; why: string }
  /** It is of another chain than before: a new devnet, or somebody else's node. */
  | { state: 'other'; chainId: number }
  | { state: 'foreign'; why: string }

/** The network in use is not to be used now, and why. */
export class NoNetwork extends Error {
  override name = 'NoNetwork'
  constructor(readonly health: Health) {
    super(
      health.state === 'other'
        ? `The node is of chain ${health.chainId} now, which is another one than before.`
        : health.state === 'ok' ? '' : health.why,
    )
  }
}

const fresh = 2_000

export class Networks {
  readonly #stored: Slot<Stored>
  #seen: { id: string; health: Health; at: number } | null = null

  constructor(
    local: Area,
    private readonly now: () => number,
    /** Called when another network or chain is in use, or its node came or went. */
    private readonly changed: () => void,
    private readonly connect: (url: string) => Ask = askOver,
  ) {
    this.#stored = new Slot<Stored>(local, 'networks', () => ({ list: [devnet], selected: devnet.id }))
  }

  async list(): Promise<Network[]> {
    return (await this.#stored.get()).list
  }

  async current(): Promise<Network> {
    const { list, selected } = await this.#stored.get()
    return list.find((n) => n.id === selected) ?? list[0] ?? devnet
  }

  /** Looks at the node in use, not more often than every other second. The first chain that it shows is kept. */
  async health(): Promise<Health> {
    const n = await this.current()
    const seen = this.#seen
    if (seen && seen.id === n.id && this.now() - seen.at < fresh) return seen.health
    const health = await this.#look(n)
    this.#seen = { id: n.id, health, at: this.now() }
    if (seen?.id === n.id && seen.health.state !== health.state) this.changed()
    return health
  }

  async #look(n: Network): Promise<Health> {
    let chainId: number
    try {
      chainId = await probe(this.connect(n.rpc))
    } catch (e) {
      if (e instanceof NotOurs) return { state: 'foreign', why: e.message }
      return { state: 'offline', why: e instanceof Unreachable ? e.message : 'It does not answer.' }
    }
    if (n.chainId === null) await this.#pin(n.id, chainId)
    else if (n.chainId !== chainId) return { state: 'other', chainId }
    return { state: 'ok', chainId }
  }

  async #pin(id: string, chainId: number): Promise<void> {
    await this.#edit(id, (n) => ({ ...n, chainId }))
  }

  async #edit(id: string, edit: (n: Network) => Network): Promise<void> {
    await this.#stored.change((s): [Stored, undefined] => [{ ...s, list: s.list.map((n) => (n.id === id ? edit(n) : n)) }, undefined])
    this.#seen = null
    this.changed()
  }

  /** The node in use and its chain, which is the one that it was. It throws {@link NoNetwork}. */
  async ready(): Promise<{ chainId: number; ask: Ask; network: Network }> {
    const health = await this.health()
    if (health.state !== 'ok') throw new NoNetwork(health)
    const network = await this.current()
    return { chainId: health.chainId, ask: this.connect(network.rpc), network }
  }

  async select(id: string): Promise<void> {
    await this.#stored.change((s): [Stored, undefined] => [s.list.some((n) => n.id === id) ? { ...s, selected: id } : s, undefined])
    this.#seen = null
    this.changed()
  }

  /** Takes the chain that the node shows now for the network's. */
  async accept(id: string): Promise<void> {
    const n = (await this.list()).find((x) => x.id === id)
    if (n) await this.#pin(id, await probe(this.connect(n.rpc)))
  }

  /** Adds a network and uses it, once its node has shown that it is one of ours. */
  async add(n: Omit<Network, 'id'>): Promise<void> {
    const chainId = await probe(this.connect(n.rpc))
    if (n.chainId !== null && n.chainId !== chainId) throw new Unfit(`The node at ${n.rpc} is of chain ${chainId}, not ${n.chainId}.`)
    await this.#stored.change((s): [Stored, undefined] => {
      if (s.list.length >= 20) throw new Unfit('There are 20 networks already: remove one.')
      if (s.list.some((x) => x.rpc === n.rpc)) throw new Unfit('There is a network with this node already.')
      const id = `n${this.now()}`
      return [{ list: [...s.list, { ...n, id, chainId }], selected: id }, undefined]
    })
    this.#seen = null
    this.changed()
  }

  async edit(id: string, n: Omit<Network, 'id' | 'chainId'>): Promise<void> {
    const moved = (await this.list()).find((x) => x.id === id)?.rpc !== n.rpc
    const chainId = moved ? await probe(this.connect(n.rpc)) : undefined
    await this.#edit(id, (old) => ({ ...old, ...n, ...(chainId === undefined ? {} : { chainId }) }))
  }

  async remove(id: string): Promise<void> {
    await this.#stored.change((s): [Stored, undefined] => {
      if (s.list.length === 1) throw new Unfit('The last network cannot be removed.')
      const list = s.list.filter((n) => n.id !== id)
      return [{ list, selected: s.selected === id ? list[0]!.id : s.selected }, undefined]
    })
    this.#seen = null
    this.changed()
  }
}
