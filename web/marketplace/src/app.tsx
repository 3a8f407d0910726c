import { Link, Theme, useAsk, useLocation, Waiting } from '@aitbc/shared'
import { lazy, Suspense, useEffect, type ReactNode } from 'react'
import { Whole } from './broken.js'
import { Estimator } from './market/estimator.js'
import { Offers } from './market/list.js'
import { MinerPage } from './market/miner.js'
import { Model } from './market/model.js'
import type { Network } from './types.js'
import { WalletButton } from '@aitbc/shared/wallet/button'

// What signs and seals needs curves and hashes: it comes when it is opened.
const Playground = lazy(() => import('./play/page.js'))
const Stake = lazy(() => import('./stake/stake.js'))
const Vote = lazy(() => import('./stake/vote.js'))
const Faucet = lazy(() => import('./stake/faucet.js'))
const Desk = lazy(() => import('./desk/page.js'))
const Keys = lazy(() => import('./keys/page.js'))
const Verify = lazy(() => import('./play/receipt.js'))

const places: [path: string, name: string][] = [
  ['/', 'Market'],
  ['/play', 'Playground'],
  ['/estimate', 'Estimate'],
  ['/keys', 'Code and keys'],
  ['/verify', 'Receipts'],
  ['/desk', 'Miner desk'],
  ['/stake', 'Stake'],
  ['/vote', 'Votes'],
  ['/faucet', 'Faucet'],
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
      return ['Market', <Offers />]
    case 'model':
      return [id, <Model name={id} />]
    case 'miner':
      return [`Miner ${id}`, <MinerPage id={id} />]
    case 'estimate':
      return ['Estimate', <Estimator />]
    case 'play':
      return ['Playground', <Playground />]
    case 'keys':
      return ['Code and keys', <Keys />]
    case 'stake':
      return ['Stake', <Stake />]
    case 'vote':
      return ['Votes and treasury', <Vote />]
    case 'faucet':
      return ['Faucet', <Faucet />]
    case 'desk':
      return ['Miner desk', <Desk />]
    case 'verify':
      return ['Check a receipt', <Verify />]
    default:
      return ['Not found', <><h1>Not found</h1><p className="notice">There is no such page. <Link href="/">The market</Link> is the first one.</p></>]
  }
}

export function App() {
  const url = useLocation()
  const network = useAsk<Network>('/coordinator/v1/network', 15_000)
  const [title, body] = page(url)
  useEffect(() => {
    document.title = `${title} · AITBC marketplace`
  }, [title])
  return (
    <>
      <a className="skip" href="#main">Skip to the page</a>
      <header className="top">
        <div>
          <Link href="/" className="brand"><b>AITBC</b> marketplace</Link>
          <nav aria-label="Pages">
            {places.map(([path, name]) => (
              <Link key={path} href={path} aria-current={url.pathname === path ? 'page' : undefined}>{name}</Link>
            ))}
          </nav>
          <Theme />
          <WalletButton />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {network.error && <div className="notice bad" role="status"><p><b>The coordinator does not answer.</b> Sessions and deposits are on the chain, and safe: what is not spent comes back by itself. This page asks again.</p></div>}
        <Suspense fallback={<Waiting />}>
          <Whole key={url.pathname}>{body}</Whole>
        </Suspense>
      </main>
      <footer className="foot">
        <div>
          <span className="num">{network.data ? `Chain ${network.data.chain_id}: ${network.data.running_jobs} jobs run, ${network.data.queued_jobs} wait` : 'The network is not known yet'}</span>
          <span>A test network: do not put money of value into it.</span>
        </div>
      </footer>
    </>
  )
}
