import { Amount, Badge, coins, Facts, Section, units, useAsk, useNow, type Page, type Parameter } from '@aitbc/shared'
import { useState, type FormEvent } from 'react'
import { topUp, type Doing, type Held } from './live.js'
import { money } from './machine.js'

function left(seconds: number): string {
  const s = Math.max(0, Math.ceil(seconds))
  if (s < 120) return `${s} s`
  if (s < 7200) return `${Math.ceil(s / 60)} min`
  if (s < 172_800) return `${Math.ceil(s / 3600)} h`
  return `${Math.ceil(s / 86_400)} days`
}

/** An open session: what is left of it, and its end. */
export function Bar({ held: { kept, chain, account }, doing, close }: { held: Held; doing?: Doing; close: () => void }) {
  const now = useNow() / 1000
  const [adding, setAdding] = useState(false)
  const [text, setText] = useState('1')
  const parameters = useAsk<Page<Parameter>>('/explorer/api/parameters')
  const window = parameters.data?.items.find((v) => v.contract === 'market' && v.name === 'closeWindow')?.value
  if (!chain) return null
  // The coordinator's account is ahead of the chain, which hears of payments in batches.
  const free = account ? BigInt(account.available) : chain.deposit - chain.debited
  const used = account ? BigInt(account.charged) : chain.debited
  const amount = units(text)
  const add = async (e: FormEvent) => {
    e.preventDefault()
    if (amount && (await topUp(kept, amount))) setAdding(false)
  }
  return (
    <section className="card session" aria-label={`Session ${kept.session}`}>
      <dl>
        <div><dt>Session {kept.session}</dt><dd><Badge kind="good">open</Badge></dd></div>
        <div><dt>Left</dt><dd data-free={String(free)}><Amount of={String(free)} /></dd></div>
        <div><dt>Used</dt><dd data-used={String(used)}><Amount of={String(used)} /></dd></div>
        <div><dt>Ends in</dt><dd className="num">{left(Number(chain.expiry) - now)}</dd></div>
      </dl>
      <div className="actions">
        <button type="button" disabled={!!doing} onClick={() => setAdding(!adding)} aria-expanded={adding}>Add</button>
        <button type="button" disabled={!!doing} onClick={close}>{doing === 'voucher' || doing === 'close' ? 'Closing…' : 'Close session'}</button>
      </div>
      {adding && (
        <form className="ask" onSubmit={(e) => void add(e)}>
          <label>Add to the deposit, in AITBC<input inputMode="decimal" value={text} onChange={(e) => setText(e.target.value)} aria-invalid={!amount} /></label>
          <button type="submit" className="primary" disabled={!amount || !!doing}>{doing === 'topup' ? 'The wallet asks…' : 'Add'}</button>
        </form>
      )}
      <p className="help whole">What is left comes back {window ? `${left(Number(window))} after you close it` : 'when you have closed it'}, or at its end. Your wallet is not asked for answers.</p>
      {account?.state === 'closing' && <p className="help">The coordinator takes no new orders for it.</p>}
    </section>
  )
}

/** A session in its close window. */
export function Ending({ held: { kept, chain }, due }: { held: Held; due: boolean }) {
  const now = useNow() / 1000
  if (!chain) return null
  const m = money(chain)
  return (
    <Section title={`Session ${kept.session} is closing`} aside={<Badge kind="warn">{due ? 'due' : `${left(Number(chain.dueAt) - now)} to go`}</Badge>}>
      <p>{due ? 'The next blocks pay the rest back.' : 'Until then miners are paid for what they delivered. Then the rest comes back to your account by itself: you need not stay.'}</p>
      <Facts list={[['Deposit', <Amount of={String(m.deposit)} />], ['Paid until now', <Amount of={String(m.paid)} />], ['Comes back', <Amount of={String(m.rest)} />]]} />
    </Section>
  )
}

/** A session that is over. */
export function Ended({ held: { kept, chain } }: { held: Held }) {
  if (!chain) return null
  const m = money(chain)
  return (
    <div className="event" data-session={kept.session} data-deposit={String(m.deposit)} data-paid={String(m.paid)} data-back={String(m.rest)}>
      <p><b>Session {kept.session}</b> <Badge kind="plain">closed</Badge></p>
      <Facts list={[['Deposit', <Amount of={String(m.deposit)} />], ['Paid for answers', <Amount of={String(m.paid)} />], ['Came back', <><Amount of={String(m.rest)} /> <small>{coins(String(m.paid))} + {coins(String(m.rest))} = {coins(String(m.deposit))}</small></>]]} />
    </div>
  )
}
