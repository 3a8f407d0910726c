// The account at a glance.
import type { Address } from 'viem'
import { call, useLoad } from './call.js'
import { Entries } from './history.js'
import { Copy, Glance, Notice, Problem, useWallet, Waiting } from './parts.js'
import { short } from '../intent/text.js'

export function Home() {
  const { status } = useWallet()
  const me = status.account!
  const on = [me.address, status.network.id, status.network.chainId]
  const balance = useLoad(() => call('balance', me.address), on, 3_000)
  const past = useLoad(() => call('history', me.address), on, 3_000)
  return (
    <>
      {status.waiting.length > 0 && (
        <Notice kind="warn" action={<a className="button" href="index.html?approve" target="_blank" rel="noreferrer">Look at it</a>}>
          {status.waiting.length === 1 ? 'A site waits for you.' : `${status.waiting.length} requests of sites wait for you.`}
        </Notice>
      )}
      <section className="card account">
        <label className="soft" htmlFor="account">Account</label>
        <div className="row">
          <select id="account" value={me.address} onChange={(e) => void call('useAccount', e.target.value as Address)}>
            {status.accounts.map((a) => <option key={a.address} value={a.address}>{a.name}</option>)}
          </select>
          <span className="id">{short(me.address, 4)}<Copy text={me.address} what="the address" /></span>
        </div>
        <h1 className="balance" aria-live="polite">
          {balance.value !== undefined ? <Glance of={balance.value} /> : balance.error ? <span className="soft">–</span> : <Waiting of="Loading the balance" />}
        </h1>
        <nav className="do" aria-label="Account">
          <a className="button primary" href="#/send">Send</a>
          <a className="button" href="#/receive">Receive</a>
          <a className="button" href="#/faucet">Test coins</a>
        </nav>
      </section>
      <section>
        <h2 className="between">Activity {past.value && past.value.entries.length > 4 && <a href="#/history">All</a>}</h2>
        {past.value ? <Entries of={past.value} most={4} me={me.address} /> : past.error ? (balance.error ? null : <Problem error={past.error} />) : <Waiting of="Loading the activity" />}
      </section>
    </>
  )
}
