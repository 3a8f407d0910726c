// What goes on with this browser's sessions: asked of the chain and the
// coordinator, kept in the vault, shown by the pages. It lives as long as the page,
// so that an answer comes on while another page is looked at.
import { isAddressEqual, type Address, type Hex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { useSyncExternalStore } from 'react'
import { ask as askPage, type Event, type Page } from '@aitbc/shared'
import type { Account, Ask, Bundle } from '../../../../sdk/ts/src/api.js'
import { ApiError, Coordinator } from '../../../../sdk/ts/src/coordinator.js'
import { marketAbi, marketAddress } from '../../../../sdk/ts/src/market.js'
import { Session, type Ordered } from '../../../../sdk/ts/src/session.js'
import { chainId, reader, send, signing, type Signing } from '@aitbc/shared/wallet/chain'
import { market } from './contract.js'
import { trouble, type Trouble } from '@aitbc/shared/wallet/trouble'
import { next, type Kept, type OnChain, type Step, type Turn } from './machine.js'
import * as vault from './vault.js'

export const coordinator = new Coordinator(`${window.location.origin}/coordinator`)

export interface Held {
  kept: Kept
  chain?: OnChain
  /** As the coordinator has it. */
  account?: Account
}

export type Doing = 'key' | 'deposit' | 'api' | 'voucher' | 'close' | 'topup' | 'withdraw'

interface Live {
  of: string // client and chain that the sessions are of
  loaded: boolean
  held: Held[]
  owed: bigint // coins that could not be pushed to the account
  turns: readonly Turn[]
  doing?: Doing
  trouble?: Trouble
}

let live: Live = { of: '', loaded: false, held: [], owed: 0n, turns: [] }
const watchers = new Set<() => void>()

function set(change: Partial<Live>): void {
  live = { ...live, ...change }
  watchers.forEach((w) => w())
}

const subscribe = (tell: () => void) => {
  watchers.add(tell)
  return () => watchers.delete(tell)
}

export const useLive = (): Live => useSyncExternalStore(subscribe, () => live)
const step = (s: Step) => set({ turns: next(live.turns, s) })

const openedBy = async (client: Address) => (await askPage<Page<Event>>(`/explorer/api/events?address=${client}&limit=500`)).items.filter((e) => e.name === 'SessionOpened')

/** The number of the session that a key is the spender of, if there is one: by the explorer's index, else by the chain itself. */
async function find(k: Kept): Promise<number | undefined> {
  try {
    const opened = (await openedBy(k.client)).find((e) => String(e.args['spender']).toLowerCase() === k.spender.toLowerCase())
    return opened && Number(opened.args['session'])
  } catch {
    const count = Number(await reader.readContract({ address: marketAddress, abi: marketAbi, functionName: 'sessionCount' }))
    for (let id = count; id > k.since && id > count - 500; id--) {
      if (isAddressEqual((await market().session(id)).spender, k.spender)) return id
    }
    return undefined
  }
}

/** Sessions of an account that are not over, and whose keys are elsewhere: the account can close them all the same. */
export async function elsewhere(client: Address, on: number): Promise<{ id: number; chain: OnChain }[]> {
  const here = new Set((await vault.list(client, on)).map((k) => k.spender.toLowerCase()))
  const theirs = (await openedBy(client)).filter((e) => !here.has(String(e.args['spender']).toLowerCase()) && String(e.args['client']).toLowerCase() === client)
  const all = await Promise.all(theirs.slice(0, 50).map(async (e) => ({ id: Number(e.args['session']), chain: await market().session(Number(e.args['session'])) })))
  return all.filter((x) => x.chain.state !== 3)
}

/** For how long the wallet's question alone says how a deposit stands. */
const asking = 60_000

/** Looks again at all sessions of an account. */
export async function refresh(client: Address, on: number): Promise<void> {
  const of = `${client} ${on}`
  if (live.of !== of) set({ of, loaded: false, held: [], owed: 0n, turns: [], trouble: undefined })
  const kept = await vault.list(client, on)
  const before = new Map(live.held.map((h) => [h.kept.spender, h]))
  const held = await Promise.all(
    kept.map(async (k): Promise<Held> => {
      const old = before.get(k.spender)
      if (old?.chain?.state === 3) return { ...old, kept: k }
      if (k.session === undefined && (live.doing === undefined || Date.now() - k.made > asking)) {
        const session = await find(k)
        if (session !== undefined) k = await vault.note(k.spender, { session })
      }
      if (k.session === undefined) return { kept: k }
      const chain = await market().session(k.session)
      let account = old?.account
      if (k.keyed && chain.state !== 3) account = await accountOf(k).catch(() => account)
      return { kept: k, chain, account }
    }),
  )
  const owed = await reader.readContract({ address: marketAddress, abi: marketAbi, functionName: 'withdrawable', args: [client] })
  if (live.of === of) set({ held, owed, loaded: true })
}

async function accountOf(k: Kept): Promise<Account> {
  const { api } = await vault.keys(k.spender)
  try {
    return await coordinator.withKey(api!).account()
  } catch (e) {
    if (e instanceof ApiError && e.code === 'unauthorized') await vault.note(k.spender, { keyed: false }) // the wallet may sign for another
    throw e
  }
}

/** Does one thing at a time, and says what went wrong with it. */
async function doing(what: Doing, fn: () => Promise<void>): Promise<boolean> {
  if (live.doing) return false
  set({ doing: what, trouble: undefined })
  try {
    await fn()
    return true
  } catch (e) {
    set({ trouble: trouble(e) })
    return false
  } finally {
    const [client, on] = live.of.split(' ')
    if (on) await refresh(client as Address, Number(on)).catch(() => {}) // the next look shows it
    set({ doing: undefined })
  }
}

export const dismiss = () => set({ trouble: undefined })

/** The wallet's side of typed data. */
const signerOf = (w: Signing) => ({ address: w.account.address, signTypedData: (typed: never) => w.signTypedData({ account: w.account, ...(typed as object) } as never) })

/** Makes a key, keeps it, has the wallet deposit for it, and gets its API key. */
export const open = (deposit: bigint, seconds: number) =>
  doing('key', async () => {
    const wallet = await signing()
    const net = await coordinator.network()
    const on = await chainId()
    if (net.chain_id !== on) throw new Error('The coordinator serves another chain than the node: nothing is deposited.')
    const key = generatePrivateKey()
    const [since, block] = await Promise.all([reader.readContract({ address: marketAddress, abi: marketAbi, functionName: 'sessionCount' }), reader.getBlock()])
    const client = wallet.account.address.toLowerCase() as Address
    // The chain's clock counts, and not this machine's.
    const expiry = Number(block.timestamp) + seconds
    const kept: Kept = { spender: privateKeyToAccount(key).address, client, chain: on, coordinator: net.coordinator, deposit: String(deposit), expiry, made: Date.now(), since: Number(since), keyed: false }
    await vault.keep(kept, key)
    set({ doing: 'deposit' })
    let session: number
    try {
      session = await market(wallet).openSession({ coordinator: kept.coordinator, spender: kept.spender, expiry, deposit })
    } catch (e) {
      // Of what was declined nothing is left. Of anything else, the chain is asked whether it happened.
      if (trouble(e).title === 'You declined') await vault.forget(kept.spender)
      throw e
    }
    await vault.note(kept.spender, { session })
    set({ doing: 'api' })
    await getKey({ ...kept, session }, wallet)
  })

async function getKey(k: Kept, wallet: Signing): Promise<void> {
  const api = await coordinator.sessionKey(await market().domain(), signerOf(wallet), k.session!, 'self')
  await vault.keepAPI(k.spender, api)
}

/** Opens a session for which the coordinator signs, for programs that know only an API key; told gets that, once. */
export const openDelegated = (deposit: bigint, seconds: number, told: (key: string) => void) =>
  doing('deposit', async () => {
    const wallet = await signing()
    const [net, terms, block] = await Promise.all([coordinator.network(), coordinator.prepare(wallet.account.address), reader.getBlock()])
    if (net.chain_id !== (await chainId()) || !isAddressEqual(net.coordinator, terms.coordinator)) throw new Error('The coordinator serves another chain than the node: nothing is deposited.')
    const session = await market(wallet).openSession({ coordinator: terms.coordinator, spender: terms.spender, expiry: Number(block.timestamp) + seconds, deposit })
    set({ doing: 'api' })
    told(await coordinator.sessionKey(await market().domain(), signerOf(wallet), session, 'delegated'))
  })

/** Gets an API key for a session for which the coordinator signs. */
export const keyDelegated = (session: number, told: (key: string) => void) =>
  doing('api', async () => told(await coordinator.sessionKey(await market().domain(), signerOf(await signing()), session, 'delegated')))

/** Gets an API key for a session that has none. */
export const authorise = (k: Kept) =>
  doing('api', async () => {
    await getKey(k, await signing())
  })

/** Forgets a key under which no session was opened. */
export const forget = (k: Kept) =>
  doing('key', async () => {
    await vault.forget(k.spender)
  })

export const topUp = (k: Kept, amount: bigint) =>
  doing('topup', async () => {
    await send({ address: marketAddress, abi: marketAbi, functionName: 'topUp', args: [BigInt(k.session!)], value: amount })
  })

/** Signs for what was used, and starts the close window. */
export const close = (k: Kept) =>
  doing('voucher', async () => {
    // Without it each order is settled by itself: dearer for the coordinator, and the same for the client.
    if (k.keyed) await sessionOf(k, true).then((s) => s.vouch()).catch(() => {})
    set({ doing: 'close' })
    await requestClose(k.session!)
  })

const requestClose = (id: number) => send({ address: marketAddress, abi: marketAbi, functionName: 'requestClose', args: [BigInt(id)] })

/** Starts the close window of a session whose key is elsewhere. */
export const closeElsewhere = (id: number) => doing('close', async () => void (await requestClose(id)))

/** Fetches coins that could not be pushed. */
export const withdraw = (client: Address) => doing('withdraw', async () => void (await send({ address: marketAddress, abi: marketAbi, functionName: 'withdraw', args: [client] })))

/** A session that can order: its orders are signed here. */
async function sessionOf(k: Kept, sealed: boolean): Promise<Session> {
  const { key, api } = await vault.keys(k.spender)
  const m = market()
  return Session.of(coordinator.withKey(api!), await m.domain(), privateKeyToAccount(key), { keys: m.keys, plain: !sealed })
}

let ordered: { o: Ordered; of: Kept } | undefined
let stopping = false

/** Orders an answer, follows it to its receipt, and signs a voucher for it. */
export async function say(k: Kept, a: Ask, question: string, sealed: boolean): Promise<void> {
  step({ type: 'ask', question, sealed })
  stopping = false
  try {
    const s = await sessionOf(k, sealed)
    const o = await s.submit(a)
    ordered = { o, of: k }
    step({ type: 'ordered', job: o.job })
    if (stopping) await cancel()
    const answer = await s.follow(o, (e) => {
      if (e.type === 'token') step({ type: 'token', index: e.index ?? 0, text: e.text ?? '' })
      else if (e.type === 'state' && e.state) step({ type: 'state', state: e.state })
    })
    const r = answer.result
    step({ type: 'end', state: r.state, output: r.output, price: r.price, matches: answer.matches, ...(r.receipt_id ? { receipt: r.receipt_id } : {}), ...(r.error ? { error: r.error } : {}) })
    await s.vouch().catch(() => {}) // the next one covers it, or the close
  } catch (e) {
    step({ type: 'fail', trouble: trouble(e) })
  } finally {
    ordered = undefined
    await refresh(k.client, k.chain).catch(() => {})
  }
}

const cancel = async () => {
  if (!ordered) return
  const { api } = await vault.keys(ordered.of.spender)
  await coordinator.withKey(api!).cancel(ordered.o.job).catch(() => {}) // it has ended
}

/** Stops the answer that is on its way: what came of it is paid for. */
export async function stop(): Promise<void> {
  stopping = true
  step({ type: 'stop' })
  await cancel()
}

export const clear = () => step({ type: 'clear' })

/** The receipt of a job of a session's. */
export async function bundleOf(k: Kept, job: Hex): Promise<Bundle> {
  const { api } = await vault.keys(k.spender)
  const [b] = await coordinator.withKey(api!).receiptsOf(job)
  if (!b) throw new Error('the coordinator has no receipt of this job')
  return b
}

/** The jobs of a session, the newest first. */
export async function jobsOf(k: Kept) {
  const { api } = await vault.keys(k.spender)
  return coordinator.withKey(api!).jobs()
}
