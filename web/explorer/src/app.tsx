import { ask, Failure, go, Link, Refused, Theme, useLocation, Waiting, type Found } from '@aitbc/shared'
import { lazy, Suspense, useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react'
import { Account } from './account.js'
import { BlockPage, Blocks } from './blocks.js'
import { Contracts } from './contracts.js'
import { Home } from './home.js'
import { useHead } from './live.js'
import { Governance, Miners, Supply, Validators } from './network.js'
import { DirectJob, Session } from './market.js'
import { Network } from './pool.js'
import { Search } from './search.js'
import { TxPage, Txs } from './txs.js'

// The check of a receipt needs curves and hashes: they come when it is opened.
const Job = lazy(() => import('./job.js'))

const places: [path: string, name: string][] = [
  ['/', 'Head'],
  ['/blocks', 'Blocks'],
  ['/txs', 'Transactions'],
  ['/contracts', 'Contracts'],
  ['/job', 'Receipts'],
  ['/validators', 'Validators'],
  ['/miners', 'Miners'],
  ['/governance', 'Governance'],
  ['/supply', 'Supply'],
  ['/network', 'Network'],
]

/** The page at a path. */
function page(url: URL): [title: string, page: ReactNode] {
  const [, first = '', second = ''] = url.pathname.split('/')
  let id = second
  try {
    id = decodeURIComponent(second)
  } catch {
    // shown as it came: nothing has such a name
  }
  switch (first) {
    case '':
      return ['Head', <Home />]
    case 'blocks':
      return ['Blocks', <Blocks />]
    case 'block':
      return [`Block ${id}`, <BlockPage id={id} />]
    case 'txs':
      return ['Transactions', <Txs />]
    case 'tx':
      return ['Transaction', <TxPage hash={id} />]
    case 'address':
      return ['Account', <Account id={id} />]
    case 'contracts':
      return ['Contracts', <Contracts />]
    case 'session':
      return [`Session ${id}`, <Session id={id} />]
    case 'direct':
      return [`Direct job ${id}`, <DirectJob id={id} />]
    case 'job':
      return ['Receipt', <Job id={id} />]
    case 'validators':
      return ['Validators', <Validators />]
    case 'miners':
      return ['Miners', <Miners />]
    case 'governance':
    case 'proposals':
      return ['Governance', <Governance />]
    case 'supply':
      return ['Supply', <Supply />]
    case 'network':
    case 'mempool':
      return ['Network', <Network />]
    case 'search':
      return ['Search', <Search q={url.searchParams.get('q') ?? ''} />]
    default:
      return ['Not found', <><h1>Not found</h1><p className="notice">There is no such page. The search box finds blocks, transactions, accounts and jobs.</p></>]
  }
}

export function App() {
  const url = useLocation()
  const head = useHead()
  const [title, body] = page(url)
  useEffect(() => {
    document.title = `${title} · AITBC explorer`
  }, [title])
  return (
    <>
      <a className="skip" href="#main">Skip to the page</a>
      <header className="top">
        <div>
          <Link href="/" className="brand"><b>AITBC</b> explorer</Link>
          <SearchBox />
          <Theme />
          <nav aria-label="Pages">
            {places.map(([path, name]) => (
              <Link key={path} href={path} aria-current={url.pathname === path ? 'page' : undefined}>{name}</Link>
            ))}
          </nav>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Suspense fallback={<Waiting />}>
          <div key={url.pathname}>{body}</div>
        </Suspense>
      </main>
      <footer className="foot">
        <div>
          <span>{head ? `Chain ${head.chain_id}, block ${head.head}` : 'The index is not there yet'}</span>
          <a href="/openapi.json">API</a>
          <span>What a job was about is never shown here: it is not on the chain.</span>
        </div>
      </footer>
    </>
  )
}

function SearchBox() {
  const [text, setText] = useState('')
  const [error, setError] = useState<Error>()
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key !== '/' || e.ctrlKey || e.metaKey || (e.target instanceof HTMLElement && /input|textarea|select/i.test(e.target.tagName))) return
      e.preventDefault()
      box.current?.focus()
    }
    window.addEventListener('keydown', key)
    return () => window.removeEventListener('keydown', key)
  }, [])
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    const q = text.trim()
    if (q === '') return
    setError(undefined)
    try {
      const { items } = await ask<{ items: Found[] }>(`/api/search?q=${encodeURIComponent(q)}`)
      go(items.length === 1 ? items[0]!.path : `/search?q=${encodeURIComponent(q)}`)
      setText('')
    } catch (cause) {
      setError(cause instanceof Refused ? cause : new Error('The search did not work: try again.'))
    }
  }
  return (
    <form className="search" role="search" onSubmit={(e) => void submit(e)}>
      <input ref={box} type="search" value={text} onChange={(e) => setText(e.target.value)} aria-label="Search: height, hash, address, session, job, receipt or validator" placeholder="Height, hash, address, session, job…  ( / )" autoComplete="off" spellCheck={false} maxLength={100} />
      <button type="submit">Search</button>
      {error && <Failure error={error} />}
    </form>
  )
}
