// What is shown before a yes: who asks, what it does, what it costs.
import { useEffect, useRef, useState, type ReactNode } from 'react'
import type { Address } from 'viem'
import type { Review as Data, Shown } from '../worker/approvals.js'
import { call, insist, useLoad, useTask } from './call.js'
import { allow } from './allow.js'
import { Amount, Facts, Foreign, Form, Id, Notice, Problem, useWallet, Waiting } from './parts.js'

/** Shows a request and decides on it. onDone is called when it is no more. */
export function Review({ id, onDone }: { id: string; onDone: () => void }) {
  const review = useLoad(() => call('review', id), [id], 10_000)
  const task = useTask()
  const [chosen, setChosen] = useState<Address[]>()
  const { status } = useWallet()
  const over = review.value === null && !task.busy
  const armed = useArmed(review.value?.key)
  const done = useRef(onDone)
  done.current = onDone
  useEffect(() => {
    if (over) done.current()
  }, [over])

  if (review.error) return <Problem error={review.error} />
  if (!review.value) return <Waiting of="Looking at what this would do" />
  const r = review.value
  const accounts = chosen ?? (status.account ? [status.account.address] : [])
  const decide = (yes: boolean) =>
    task.run(async () => {
      if (yes && r.ask.kind === 'add') await allow([r.ask.network.rpc, r.ask.network.explorer])
      try {
        await insist(() => (yes ? call('approve', id, r.shown, r.ask.kind === 'connect' ? accounts : []) : call('reject', id)))
      } finally {
        review.again()
      }
      onDone()
    })
  const yes = { connect: 'Connect', transaction: 'Sign and send', typed: 'Sign', message: r.intent?.kind === 'sign_in' ? 'Sign in' : 'Sign', switch: 'Switch', add: 'Add and switch' }[r.ask.kind]
  return (
    <Form onSubmit={() => decide(true)}>
      {r.origin && <Asker origin={r.origin} />}
      <Body review={r} accounts={accounts} choose={setChosen} />
      {r.problem && <Notice kind="bad">{r.problem}</Notice>}
      <Problem error={task.error} />
      <div className="decide">
        <button type="button" onClick={() => decide(false)} disabled={task.busy}>{r.origin ? 'Reject' : r.ask.kind === 'transaction' && r.ask.replaces ? 'Leave it' : 'Cancel'}</button>
        <button type="submit" className="primary" disabled={task.busy || !armed || r.problem !== '' || (r.ask.kind === 'connect' && accounts.length === 0)}>{task.busy ? 'Working…' : yes}</button>
      </div>
    </Form>
  )
}

/** False for a moment after a request appears: a click that was meant for the one before is no yes to it. */
function useArmed(key: string | undefined): boolean {
  const [armed, setArmed] = useState<string>()
  useEffect(() => {
    if (key === undefined) return
    const timer = setTimeout(() => setArmed(key), 600)
    return () => clearTimeout(timer)
  }, [key])
  return key !== undefined && armed === key
}

function Asker({ origin }: { origin: string }) {
  return (
    <p className="asker">
      <span className="soft">Asked by</span> <strong><Foreign text={origin} /></strong>
    </p>
  )
}

function Body({ review: r, accounts, choose }: { review: Data; accounts: Address[]; choose: (a: Address[]) => void }) {
  switch (r.ask.kind) {
    case 'connect':
      return <Connect accounts={accounts} choose={choose} />
    case 'switch':
      return <Switch chainId={r.ask.chainId} from={r.network} />
    case 'add':
      return (
        <>
          <h1>Add a network?</h1>
          <p>The wallet asks its node and goes on only if it is of an AITBC network. A node sees the addresses that you ask it about, and can say wrong things of balances; it cannot sign.</p>
          <Facts list={[['Name, as the site has it', <Foreign text={r.ask.network.name} />], ['Chain', r.ask.network.chainId], ['Node', <Foreign text={r.ask.network.rpc} />], ...(r.ask.network.explorer ? [['Explorer', <Foreign text={r.ask.network.explorer} />] as [string, ReactNode]] : [])]} />
        </>
      )
    default:
      return r.intent ? <Intent of={r.intent} review={r} /> : null
  }
}

function Connect({ accounts, choose }: { accounts: Address[]; choose: (a: Address[]) => void }) {
  const { status } = useWallet()
  return (
    <>
      <h1>Connect this site?</h1>
      <p>It will see the address and the history of the accounts that you choose, and may ask you to sign. It can take nothing without your yes.</p>
      <fieldset className="choice list">
        <legend>Accounts that it sees</legend>
        {status.accounts.map((a) => (
          <label key={a.address}>
            <input type="checkbox" checked={accounts.includes(a.address)} onChange={(e) => choose(e.target.checked ? [...accounts, a.address] : accounts.filter((x) => x !== a.address))} />
            <span>{a.name} <small className="id">{a.address.slice(0, 8)}…{a.address.slice(-6)}</small></span>
          </label>
        ))}
      </fieldset>
    </>
  )
}

function Switch({ chainId, from }: { chainId: number; from: string }) {
  const { status } = useWallet()
  const to = status.networks.find((n) => n.chainId === chainId)
  return (
    <>
      <h1>Switch the network?</h1>
      <Facts list={[['Now', from], ['Then', to?.name ?? '–'], ['Chain', chainId]]} />
    </>
  )
}

const kinds: Record<Shown['kind'], string> = { transfer: 'Payment', call: 'Call of a contract', deploy: 'New contract', typed_data: 'Signature', message: 'Message', sign_in: 'Sign-in' }

function Intent({ of: i, review }: { of: Shown; review: Data }) {
  const { labels } = useWallet()
  const isTx = review.ask.kind === 'transaction'
  const fee = isTx ? BigInt(i.worth) - BigInt(i.amount) : 0n
  const message = review.ask.kind === 'message' ? i.fields.find((f) => f.name === 'message') : undefined
  const cost: [string, ReactNode][] = isTx
    ? [['Amount', <Amount of={i.amount} />], ['Fee, at most', <Amount of={String(fee)} />], ['In all, at most', <strong><Amount of={i.worth} /></strong>]]
    : i.worth !== '0' || i.amount !== '0' ? [['Amount', <Amount of={i.amount} />]] : []
  return (
    <>
      <p className="kind"><span className={i.blind ? 'badge bad' : 'badge plain'}>{i.blind ? 'Blind signature' : kinds[i.kind]}</span> <span className="soft">on {review.network}</span></p>
      <h1 className="says"><Foreign text={i.title} /></h1>
      {i.blind && <Notice kind="bad">Nobody can tell what this does. It may take all that the account has, now or later. You have allowed blind signing in the settings.</Notice>}
      {review.ask.kind === 'transaction' && review.ask.replaces && (
        <Notice>{i.to === i.from && i.amount === '0' ? 'It cancels a transaction that waits: it sends nothing, to yourself,' : 'It takes the place of a transaction that waits,'} with the same number and higher fees. One of both will be in a block.</Notice>
      )}
      {i.warning && <Notice kind="warn"><Foreign text={i.warning} /></Notice>}
      {message && <pre className="message" tabIndex={0} aria-label="The message"><Foreign text={message.value} /></pre>}
      <Facts list={[['From', <Id of={i.from} />], ...(i.to ? [[isTx ? 'To' : 'For the contract', <Id of={i.to} />] as [string, ReactNode]] : []), ...cost, ...(review.balance ? [['Balance', <Amount of={review.balance} />] as [string, ReactNode]] : [])]} />
      {!message && (
        <details open={!isTx}>
          <summary>All that is signed</summary>
          {i.title !== i.summary && <p><Foreign text={i.summary} /></p>}
          <dl className="all" tabIndex={0} aria-label="All that is signed">
            {i.fields.map((f, n) => (
              <div key={n}>
                <dt><Foreign text={f.name} /></dt>
                <dd>{labels[f.value] && <span className="label">{labels[f.value]}</span>}<Foreign text={f.value} /></dd>
              </div>
            ))}
            <div><dt>hash</dt><dd className="id whole">{i.digest}</dd></div>
          </dl>
        </details>
      )}
    </>
  )
}
