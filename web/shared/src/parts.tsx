// The parts that pages are made of.
import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import { useEffect, useState, useSyncExternalStore, type ReactNode } from 'react'
import { ask, Refused } from './api.js'
import { ago, coins, short, utc } from './format.js'
import { Link } from './router.js'

/** The JSON at a path, asked again every so many milliseconds. */
export function useAsk<T>(path: string | null, every?: number): UseQueryResult<T, Error> {
  return useQuery<T, Error>({
    queryKey: [path],
    queryFn: ({ signal }) => ask<T>(path!, { signal }),
    enabled: path !== null,
    refetchInterval: every ?? false,
  })
}

/** What a question's answer looks like, while there is none, and when there will be none. */
export function Answer<T>({ of, empty, children }: { of: UseQueryResult<T, Error>; empty?: (v: T) => string | false; children: (v: T) => ReactNode }) {
  if (of.data !== undefined) {
    const nothing = empty?.(of.data)
    return nothing ? <p className="empty">{nothing}</p> : <>{children(of.data)}</>
  }
  if (of.error) return <Failure error={of.error} retry={() => void of.refetch()} />
  return <Waiting />
}

/** Bars where text will be. */
export function Waiting() {
  return (
    <div className="waiting" role="status" aria-label="Loading">
      <i />
      <i />
      <i />
    </div>
  )
}

/** Why there is no answer, and what to do. */
export function Failure({ error, retry }: { error: Error; retry?: () => void }) {
  const missing = error instanceof Refused && error.status === 404
  return (
    <div className={missing ? 'notice' : 'notice bad'} role="alert">
      <p>{missing ? 'Not found. ' : ''}{error.message}</p>
      {retry && !missing && <button type="button" onClick={retry}>Retry</button>}
    </div>
  )
}

/** An exact amount of coins. */
export function Amount({ of }: { of: string }) {
  return (
    <span className="num" title={`${of} base units`}>
      {coins(of)} <small>AITBC</small>
    </span>
  )
}

/** A hash or an address, short, whole for who copies it. */
export function Id({ of, to, whole }: { of: string; to?: string; whole?: boolean }) {
  const name = whole ? undefined : contracts[of.toLowerCase()]
  const text = name ?? (whole ? of : short(of))
  return (
    <span className={whole ? 'id whole' : name ? 'id name' : 'id'}>
      {to ? <Link href={to} title={of}>{text}</Link> : <span title={of}>{text}</span>}
      <Copy text={of} />
    </span>
  )
}

/** The network's contracts: they stand at the same addresses on every network. */
const contracts: Record<string, string> = Object.fromEntries(
  ['Registry', 'Market', 'Treasury', 'Staking', 'Rewards', 'Governor', 'Timelock', 'Upgrades', 'Faucet'].map((name, i) => [`0x000000000000000000000000000000000000a10${i + 1}`, name]),
)

function Copy({ text }: { text: string }) {
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  const copy = () => void navigator.clipboard.writeText(text).then(() => setDone(true), () => setDone(false))
  return (
    <button type="button" className="copy" onClick={copy} aria-label={done ? 'Copied' : `Copy ${short(text)}`} title="Copy">
      {done ? '✓' : <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true"><path d="M5.5 5.5h8v8h-8zM2.5 10.5v-8h8" fill="none" stroke="currentColor" strokeWidth="1.5" /></svg>}
    </button>
  )
}

// One clock for the whole page.
let now = Date.now()
const watchers = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

function watch(tell: () => void): () => void {
  watchers.add(tell)
  timer ??= setInterval(() => {
    now = Date.now()
    watchers.forEach((w) => w())
  }, 1000)
  return () => {
    watchers.delete(tell)
    if (watchers.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** The time, each second anew. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now)
}

/** How long ago a time was; the time itself for who hovers. */
export function Ago({ at }: { at: string }) {
  const t = new Date(at)
  return (
    <time dateTime={at} title={utc(t)} className="num">
      {ago(t.getTime(), Math.max(useNow(), t.getTime()))}
    </time>
  )
}

/** A time of the chain, in seconds since 1970. */
export function At({ seconds }: { seconds: number }) {
  if (seconds === 0) return <>never</>
  const t = new Date(seconds * 1000)
  return <time dateTime={t.toISOString()} className="num">{utc(t)}</time>
}

/** A word with a colour, and a sign for who does not see it. */
export function Badge({ kind, children }: { kind: 'good' | 'bad' | 'warn' | 'plain'; children: ReactNode }) {
  return <span className={`badge ${kind}`}>{children}</span>
}

export interface Column<T> {
  name: string
  right?: boolean
  of: (row: T) => ReactNode
}

/** A table that scrolls within itself where the window is narrow, or with cards falls apart into one card a row. */
export function Table<T>({ name, rows, columns, id, cards }: { name: string; rows: T[]; columns: Column<T>[]; id: (row: T) => string | number; cards?: boolean }) {
  const cell = (c: Column<T>) => ({ className: c.right ? 'right' : undefined, 'data-name': cards ? c.name : undefined })
  return (
    <div className={cards ? 'table cards' : 'table'} role="region" aria-label={name} tabIndex={0}>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">{columns.map((c) => <th key={c.name} scope="col" role="columnheader" className={c.right ? 'right' : undefined}>{c.name}</th>)}</tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={id(row)} role="row">{columns.map((c) => <td key={c.name} role="cell" {...cell(c)}>{cards ? <div>{c.of(row)}</div> : c.of(row)}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Names with values. */
export function Facts({ list }: { list: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {list.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** A part of a page with a heading, and what belongs beside it. */
export function Section({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className="card">
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  )
}
