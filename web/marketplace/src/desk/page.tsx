import { Amount, Answer, At, Badge, count, Facts, Id, Link, Section, useAsk, useLocation, type Account, type Event, type Page } from '@aitbc/shared'
import { useState, type FormEvent, type ReactNode } from 'react'
import { Chart, price } from '../market/chart.js'
import { minerPath, State } from '../market/parts.js'
import { replace } from '../market/url.js'
import type { Miners, Network } from '../types.js'
import { useWallets } from '@aitbc/shared/wallet/wallets'
import { bars, sum } from './earnings.js'
import { reasons } from './why.js'

export default function Desk() {
  const url = useLocation()
  const { account } = useWallets()
  const asked = url.searchParams.get('miner') ?? ''
  const miner = /^0x[0-9a-f]{40}$/i.test(asked) ? asked : (account ?? '')
  const [text, setText] = useState(asked)
  const go = (e: FormEvent) => {
    e.preventDefault()
    replace(`/desk${text.trim() === '' ? '' : `?miner=${encodeURIComponent(text.trim())}`}`)
  }
  const bad = asked !== '' && miner !== asked
  return (
    <>
      <h1>Miner desk</h1>
      <Section title="Whose">
        <form className="ask" onSubmit={go}>
          <label>The miner’s account{account && ', or nothing for your wallet’s'}<input value={text} onChange={(e) => setText(e.target.value)} placeholder={account ?? '0x…'} maxLength={64} spellCheck={false} aria-invalid={bad} /></label>
          <button type="submit">Show</button>
        </form>
        {bad && <p className="help" role="alert">That is no account: 0x and 40 hex digits name one.</p>}
      </Section>
      {miner === '' ? <p className="notice">Connect the wallet of your miner’s account, or write the account. Nothing here needs a signature: it is what all can see.</p> : <One key={miner} id={miner} />}
    </>
  )
}

const spans = { day: [3_600_000, 24, 'an hour, of a day'], month: [86_400_000, 30, 'a day, of a month'] } as const

function One({ id }: { id: string }) {
  const miners = useAsk<Miners>('/coordinator/v1/miners', 5_000)
  const net = useAsk<Network>('/coordinator/v1/network', 5_000)
  const account = useAsk<Account>(`/explorer/api/addresses/${id}`, 10_000)
  const events = useAsk<Page<Event>>(`/explorer/api/events?address=${id}&limit=1000`, 10_000)
  const [span, setSpan] = useState<keyof typeof spans>('day')
  const [step, many, words] = spans[span]
  return (
    <>
      <Answer of={miners}>
        {(list) => {
          const m = list.miners.find((x) => x.miner.toLowerCase() === id.toLowerCase())
          const why = reasons(m, list.miners, net.data, account.data?.miner?.jailed_until ?? 0, Date.now())
          return (
            <Section title="The machine" aside={m && <State of={m} />}>
              <ul className="why">{why.map((r) => <li key={r.text}>{r.bad ? <Badge kind="bad">✗</Badge> : <Badge kind="plain">i</Badge>} <span>{r.text}</span></li>)}</ul>
              {m && <Facts list={[
                ['Slots', <span className="num">{m.free_slots} free of {m.slots}</span>],
                ['Jobs completed', count(m.completed)],
                ['Reputation', <>{m.reputation} of 1,000</>],
                ['Offers', <Link href={minerPath(m.miner)}>{(m.offers ?? []).length} on its page</Link>],
              ]} />}
            </Section>
          )
        }}
      </Answer>
      <Section title="Earnings" aside={<span className="tabs" role="group" aria-label="How far back">{Object.keys(spans).map((s) => <button key={s} type="button" aria-pressed={s === span} onClick={() => setSpan(s as keyof typeof spans)}>{s === 'day' ? 'Day' : 'Month'}</button>)}</span>}>
        <Answer of={events}>
          {(p) => {
            const paid = p.items.filter((e) => e.name === 'Credited' && String(e.args['miner']).toLowerCase() === id.toLowerCase())
            if (paid.length === 0) return <p className="empty">The Market has paid this account nothing yet. Work is paid with the coordinator’s settlements, every few seconds.</p>
            return (
              <>
                <Chart bars name={`Paid in ${words}`} dots={bars(paid, step, Date.now(), many)} text={price} />
                <Facts list={[
                  [p.next ? 'In the newest payments' : 'In all', <><b><Amount of={String(sum(paid))} /></b> <small>in {count(paid.length)} settlements</small></>],
                  ['The last', <><Amount of={String(paid[0]!.args['paid'])} /> <small>in block {count(paid[0]!.height)}</small></>],
                ]} />
              </>
            )
          }}
        </Answer>
      </Section>
      <Section title="On the chain">
        <Answer of={account}>
          {(a) => (
            <Facts list={[
              ['Balance', <Amount of={a.balance} />],
              ...(a.miner ? ([['Stake', <Amount of={a.miner.stake} />], ['Leaving', <Amount of={a.miner.unbonding} />], ['Signs with', <Id of={a.miner.signer} />], ['Jailed', a.miner.jailed_until * 1000 > Date.now() ? <At seconds={a.miner.jailed_until} /> : 'no']] as [string, ReactNode][]) : [['Registry', 'not in it'] as [string, string]]),
            ]} />
          )}
        </Answer>
      </Section>
    </>
  )
}
