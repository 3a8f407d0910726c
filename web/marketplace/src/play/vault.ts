// Keys of sessions, kept in this browser. A session's key is one of secp256k1,
// which browsers cannot hold unreadably; so it lies sealed under a key of AES that
// they can: the seal's key never leaves the browser's store, and what is copied out
// of the store opens without it nothing. Whoever can run script in this page could
// still use it, and spend at most the deposit: nothing else is under it.
import type { Hex } from 'viem'
import type { Kept } from './machine.js'

interface Sealed {
  iv: Uint8Array<ArrayBuffer>
  data: ArrayBuffer
}

interface Record {
  kept: Kept
  key: Sealed
  api?: Sealed
}

const done = <T>(r: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    r.onsuccess = () => resolve(r.result)
    r.onerror = () => reject(new Error(`this browser does not keep data for this page: ${r.error?.message ?? 'no reason given'}`))
  })

let opened: Promise<IDBDatabase> | undefined

function db(): Promise<IDBDatabase> {
  opened ??= (() => {
    const r = indexedDB.open('aitbc', 1)
    r.onupgradeneeded = () => {
      r.result.createObjectStore('seal')
      r.result.createObjectStore('sessions')
    }
    return done(r)
  })()
  opened.catch(() => (opened = undefined))
  return opened
}

/** Writes a value, and returns when it is kept for good. */
async function put(store: 'seal' | 'sessions', name: string, value: unknown): Promise<void> {
  const tx = (await db()).transaction(store, 'readwrite', { durability: 'strict' })
  tx.objectStore(store).put(value, name)
  await new Promise<void>((resolve, reject) => {
    tx.oncomplete = () => resolve()
    tx.onabort = () => reject(new Error(`this browser keeps no data for this page: ${tx.error?.message ?? 'no reason given'}`))
  })
}

async function seal(): Promise<CryptoKey> {
  const have = await done((await db()).transaction('seal').objectStore('seal').get('key') as IDBRequest<CryptoKey | undefined>)
  if (have) return have
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  await put('seal', 'key', key)
  return key
}

async function close(text: string, name: string): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(name) }, await seal(), new TextEncoder().encode(text)) }
}

async function open(s: Sealed, name: string): Promise<string> {
  return new TextDecoder().decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: s.iv, additionalData: new TextEncoder().encode(name) }, await seal(), s.data))
}

const read = async (spender: string) => done((await db()).transaction('sessions').objectStore('sessions').get(spender) as IDBRequest<Record | undefined>)

async function must(spender: string): Promise<Record> {
  const r = await read(spender)
  if (!r) throw new Error('this browser has no key of that session')
  return r
}

/** Keeps a new session's key: before any money is under it. */
export async function keep(kept: Kept, key: Hex): Promise<void> {
  await put('sessions', kept.spender, { kept, key: await close(key, `key ${kept.spender}`) } satisfies Record)
}

/** Notes what is new of a session. */
export async function note(spender: string, change: Partial<Kept>): Promise<Kept> {
  const r = await must(spender)
  const kept = { ...r.kept, ...change }
  await put('sessions', spender, { ...r, kept } satisfies Record)
  return kept
}

/** Keeps the API key of a session. */
export async function keepAPI(spender: string, api: string): Promise<Kept> {
  const sealed = await close(api, `api ${spender}`)
  const r = await must(spender)
  const kept = { ...r.kept, keyed: true }
  await put('sessions', spender, { ...r, kept, api: sealed } satisfies Record)
  return kept
}

/** The keys of a session. */
export async function keys(spender: string): Promise<{ key: Hex; api?: string }> {
  const r = await must(spender)
  return { key: (await open(r.key, `key ${spender}`)) as Hex, ...(r.api ? { api: await open(r.api, `api ${spender}`) } : {}) }
}

/** Forgets a session and its keys. */
export async function forget(spender: string): Promise<void> {
  await done((await db()).transaction('sessions', 'readwrite').objectStore('sessions').delete(spender))
}

/** The sessions of an account on a chain, the newest first. */
export async function list(client: string, chain: number): Promise<Kept[]> {
  const all = await done((await db()).transaction('sessions').objectStore('sessions').getAll() as IDBRequest<Record[]>)
  return all.map((r) => r.kept).filter((k) => k.client.toLowerCase() === client.toLowerCase() && k.chain === chain).sort((a, b) => b.made - a.made)
}
