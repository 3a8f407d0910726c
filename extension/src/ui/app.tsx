// The pages, by the fragment of the address.
import { useEffect, useRef, useSyncExternalStore, type ReactNode } from 'react'
import { Accounts, ImportMore, OneAccount } from './accounts.js'
import { Approve } from './approve.js'
import { call, useLoad } from './call.js'
import { HealthNotice } from './health.js'
import { History } from './history.js'
import { Home } from './home.js'
import { Networks, OneNetwork, Sites } from './networks.js'
import { Problem, useWallet, Waiting, Wallet } from './parts.js'
import { Receive } from './receive.js'
import { Faucet, Send } from './send.js'
import { ChangePassphrase, Phrase, Settings } from './settings.js'
import { Unlock } from './unlock.js'
import { Create, Import, Welcome } from './welcome.js'

const query = new URLSearchParams(window.location.search)
/** Where this page is shown: in the toolbar's popup, in the window for approvals, or in a tab. */
export const place = query.has('popup') ? 'popup' : query.has('approve') ? 'approve' : 'tab'

function useHash(): string {
  return useSyncExternalStore(
    (tell) => {
      window.addEventListener('hashchange', tell)
      return () => window.removeEventListener('hashchange', tell)
    },
    () => window.location.hash.replace(/^#\/?/, ''),
  )
}

function page(path: string): ReactNode {
  const { status } = useWallet()
  const [first, second, third] = path.split('/')
  if (status.locking === 'none') {
    // A popup ends with a click beside it: no place to copy words from.
    if (place === 'popup') return <Outside />
    return first === 'create' ? <Create /> : first === 'import' ? <Import /> : <Welcome />
  }
  if (status.locking === 'locked') return <Unlock />
  if (first === 'send') return <Send />
  if (first === 'receive') return <Receive />
  if (first === 'faucet') return <Faucet />
  if (first === 'history') return <History />
  if (first !== 'settings') return <Home />
  switch (second) {
    case 'accounts': {
      const account = status.accounts.find((a) => a.address === third)
      return account ? <OneAccount key={account.address} account={account} /> : <Accounts />
    }
    case 'networks': {
      const network = status.networks.find((n) => n.id === third)
      return network ? <OneNetwork key={network.id} network={network} /> : third === 'new' ? <OneNetwork network={null} /> : <Networks />
    }
    case 'import':
      return <ImportMore />
    case 'sites':
      return <Sites />
    case 'phrase':
      return <Phrase />
    case 'passphrase':
      return <ChangePassphrase />
  }
  return <Settings />
}

function Outside() {
  return (
    <div className="hero">
      <img src="icons/128.png" alt="" width="64" height="64" />
      <h1>AITBC Wallet</h1>
      <p>Set the wallet up in a tab, where you can take your time.</p>
      <p className="actions column"><a className="button primary" href="index.html" target="_blank" rel="noreferrer">Set it up</a></p>
    </div>
  )
}

function Page({ path }: { path: string }) {
  const main = useRef<HTMLElement>(null)
  const before = useRef(path)
  useEffect(() => {
    window.scrollTo(0, 0)
    if (before.current !== path && !main.current?.contains(document.activeElement)) main.current?.focus()
    before.current = path
  }, [path])
  return <main ref={main} id="main" tabIndex={-1}><Body path={path} /></main>
}

function Body({ path }: { path: string }) {
  const { status } = useWallet()
  const content = page(path)
  if (place === 'approve') return <Approve />
  return (
    <>
      {status.locking === 'open' && <HealthNotice />}
      {content}
    </>
  )
}

function Top() {
  const { status } = useWallet()
  const open = status.locking === 'open'
  return (
    <header className="top">
      <div>
        <a className="brand plain" href="#/"><b>A</b>ITBC</a>
        <span className="network" title={status.network.chainId === null ? undefined : `Chain ${status.network.chainId}`}>{status.network.name}</span>
        {open && place !== 'approve' && (
          <nav aria-label="Wallet">
            <a className="tool plain" href="#/settings" aria-label="Settings" title="Settings">
              <svg viewBox="0 0 16 16" width="17" height="17" aria-hidden="true"><path d="M2 4.5h7M13 4.5h1M2 11.5h1M7 11.5h7" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" /><circle cx="11" cy="4.5" r="1.9" fill="none" stroke="currentColor" strokeWidth="1.5" /><circle cx="5" cy="11.5" r="1.9" fill="none" stroke="currentColor" strokeWidth="1.5" /></svg>
            </a>
            <button type="button" className="tool" onClick={() => void call('lock')} aria-label="Lock the wallet" title="Lock">
              <svg viewBox="0 0 16 16" width="17" height="17" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.6" fill="none" stroke="currentColor" strokeWidth="1.5" /><path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" fill="none" stroke="currentColor" strokeWidth="1.5" /></svg>
            </button>
          </nav>
        )}
      </div>
    </header>
  )
}

/** Tells the worker now and then that somebody is there. */
function useTouch(): void {
  useEffect(() => {
    let last = 0
    const touch = () => {
      if (Date.now() - last < 10_000) return
      last = Date.now()
      void call('touch').catch(() => undefined)
    }
    const events = ['pointerdown', 'keydown'] as const
    events.forEach((e) => window.addEventListener(e, touch))
    return () => events.forEach((e) => window.removeEventListener(e, touch))
  }, [])
}

export function App() {
  const status = useLoad(() => call('status'), [], 5_000)
  const labels = useLoad(() => call('labels'), [status.value?.network.id, status.value?.accounts.length], 60_000)
  const path = useHash()
  useTouch()
  if (!status.value) return <main>{status.error ? <Problem error={status.error} /> : <Waiting />}</main>
  return (
    <Wallet value={{ status: status.value, labels: labels.value ?? {} }}>
      <a className="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus() }}>To the content</a>
      <Top />
      <Page path={path} />
    </Wallet>
  )
}
