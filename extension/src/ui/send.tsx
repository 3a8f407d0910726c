// Sending coins, and asking the faucet for some.
import { useState } from 'react'
import { coins as written } from '../../../web/shared/src/format.js'
import { readAddress } from '../intent/address.js'
import { unitsOf } from '../intent/text.js'
import { call, useLoad, useTask } from './call.js'
import { Amount, Copy, Field, Form, Notice, Problem, Title, useWallet, Waiting } from './parts.js'
import { Review } from './review.js'

// What a plain payment costs at most, at the fees of the moment, is known at the
// review; this much is left over for it when all is to be sent.
const spare = 10n ** 15n

function whyNot(text: string): string | undefined {
  try {
    readAddress(text)
  } catch (e) {
    return (e as Error).message
  }
  return undefined
}

export function Send() {
  const { status } = useWallet()
  const me = status.account!
  const [to, setTo] = useState('')
  const [amount, setAmount] = useState('')
  const [tried, setTried] = useState(false)
  const [asked, setAsked] = useState<string>()
  const balance = useLoad(() => call('balance', me.address), [me.address, status.network.id], 5_000)
  const task = useTask()
  const units = unitsOf(amount)
  const badTo = whyNot(to)
  const has = balance.value === undefined ? undefined : BigInt(balance.value)
  const badAmount = units === null ? 'An amount in AITBC, such as 1.5.' : has !== undefined && units > has ? 'The account has less.' : undefined
  const go = () => {
    setTried(true)
    if (!badTo && !badAmount) task.run(async () => setAsked(await call('askSend', me.address, to, String(units))))
  }
  if (asked) return <Outcome id={asked} back="#/" again={() => setAsked(undefined)} />
  return (
    <>
      <Title back="#/">Send from {me.name}</Title>
      <Form onSubmit={go}>
        <Field label="To" value={to} onChange={(e) => setTo(e.target.value)} autoFocus autoComplete="off" spellCheck={false} placeholder="0x… or aitbc1…" error={tried ? badTo : undefined} />
        <div className="secret">
          <Field label="Amount in AITBC" inputMode="decimal" value={amount} onChange={(e) => setAmount(e.target.value)} autoComplete="off" error={tried ? badAmount : undefined} hint={balance.value === undefined ? undefined : `The account has ${written(balance.value)}.`} />
          <button type="button" className="peek" disabled={has === undefined || has <= spare} onClick={() => setAmount(written(String(has! - spare)).replaceAll(',', ''))} aria-label="All but what the fee may take">All</button>
        </div>
        <Problem error={task.error} />
        <p className="actions"><button type="submit" className="primary" disabled={task.busy}>Look at it</button></p>
      </Form>
    </>
  )
}

/** The review of the wallet's own transaction, and what became of it. */
export function Outcome({ id, back, again }: { id: string; back: string; again: () => void }) {
  const [decided, setDecided] = useState(false)
  const outcome = useLoad(() => call('outcome', id), [id, decided], 2_000)
  if (!decided) return <Review id={id} onDone={() => setDecided(true)} />
  const o = outcome.value
  if (!o) return <Waiting of="Sending" />
  if ('error' in o) {
    return (
      <>
        <Title back={back} leave={again}>Not sent</Title>
        <Notice>{o.error}</Notice>
        <p className="actions"><button type="button" onClick={again}>Back to what was asked</button></p>
      </>
    )
  }
  return (
    <>
      <Title back={back} leave={again}>Sent</Title>
      <Notice kind="good">It is on its way. A block takes a second or less.</Notice>
      <p className="soft">Hash</p>
      <p><span className="id whole">{o.hash}</span><Copy text={o.hash} what="the hash" /></p>
      <p className="actions"><a className="button primary" href="#/">Done</a></p>
    </>
  )
}

export function Faucet() {
  const { status } = useWallet()
  const me = status.account!
  const faucet = useLoad(() => call('faucet', me.address), [me.address, status.network.id, status.network.chainId], 3_000)
  const balance = useLoad(() => call('balance', me.address), [me.address, status.network.id], 2_000)
  const [asked, setAsked] = useState<string>()
  const task = useTask()
  if (asked) return <Outcome id={asked} back="#/" again={() => setAsked(undefined)} />
  const f = faucet.value
  const wait = f ? f.next - Math.floor(Date.now() / 1000) : 0
  const command = `aitbc faucet ${me.address}`
  return (
    <>
      <Title back="#/">Test coins for {me.name}</Title>
      {balance.value !== undefined && <p>The account has <Amount of={balance.value} />.</p>}
      {faucet.error && <Problem error={faucet.error} />}
      {!f && !faucet.error && <Waiting />}
      {f?.amount === null && <p className="empty">This network has no faucet: only test networks have one. Elsewhere coins are earned, or sent by who has some.</p>}
      {f?.amount && (
        <>
          <p>The faucet gives <Amount of={f.amount} /> at a time. They are worth nothing outside this test network.</p>
          {f.payer ? (
            <>
              {wait > 0 && <Notice kind="warn">It has given to this account lately, and gives again in {wait} s.</Notice>}
              <Problem error={task.error} />
              <p className="actions"><button type="button" className="primary" disabled={task.busy || wait > 0} onClick={() => task.run(async () => setAsked(await call('askDrip', me.address)))}>Ask the faucet</button></p>
            </>
          ) : f.gives ? (
            <>
              <p>The network’s marketplace asks it for accounts that have nothing yet, and pays for that.</p>
              <Problem error={task.error} />
              <p className="actions"><button type="button" className="primary" disabled={task.busy || wait > 0} onClick={() => task.run(() => call('firstCoins', me.address))}>{task.busy ? 'Asking…' : 'Ask the faucet'}</button></p>
            </>
          ) : (
            <>
              <p>Asking is a transaction, and this wallet has no coin yet to pay for it. Whoever runs the network can ask for you, in a terminal:</p>
              <p className="command"><code>{command}</code><Copy text={command} what="the command" /></p>
              <p className="soft" role="status">The coins show here when they come.</p>
            </>
          )}
        </>
      )}
    </>
  )
}
