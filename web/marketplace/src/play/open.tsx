import { Amount, coins, Link, Section, units } from '@aitbc/shared'
import { useQuery } from '@tanstack/react-query'
import { useId, useState, type FormEvent } from 'react'
import { reader } from '@aitbc/shared/wallet/chain'
import type { Who } from '@aitbc/shared/wallet/gate'
import { coordinator, open, type Doing } from './live.js'

const lives = [['3600', '1 hour'], ['86400', '1 day'], ['604800', '1 week'], ['2592000', '30 days']] as const

const steps: [Doing, string, string][] = [
  ['key', 'A key for this session', 'made in this page, sealed in this browser'],
  ['deposit', 'The deposit', 'your wallet asks; then the next block takes it'],
  ['api', 'The API key', 'your wallet signs once more; it costs nothing'],
]

/** Opens a session whose key is this page's. */
export function Opening({ who, doing }: { who: Who; doing?: Doing }) {
  const at = steps.findIndex(([d]) => d === doing)
  if (at >= 0) {
    return (
      <Section title="Opening a session">
        <ol className="steps" aria-live="polite">
          {steps.map(([d, title, note], i) => <li key={d} className={i < at ? 'good' : i === at ? 'now' : undefined} aria-current={i === at ? 'step' : undefined}><b>{title}</b> <small>{note}</small></li>)}
        </ol>
        <p><small>You may close this page: a key that money is under is kept, and the session is found again.</small></p>
      </Section>
    )
  }
  return <Deposit who={who} busy={doing !== undefined} title="Open a session" button="Deposit and begin" does={(amount, seconds) => void open(amount, seconds)} />
}

interface Form {
  who: Who
  busy: boolean
  title: string
  button: string
  does: (amount: bigint, seconds: number) => void
}

/** Asks how much to deposit, and for how long. */
export function Deposit({ who, busy, title, button, does }: Form) {
  const help = useId()
  const [text, setText] = useState('1')
  const [life, setLife] = useState('86400')
  const limits = useQuery({ queryKey: ['limits', who.account], queryFn: () => coordinator.prepare(who.account), staleTime: 60_000 })
  const balance = useQuery({ queryKey: ['balance', who.account], queryFn: () => reader.getBalance({ address: who.account }), refetchInterval: 5_000 })
  const amount = units(text)
  const least = limits.data ? BigInt(limits.data.min_deposit) : 0n
  const wrong =
    amount === null ? 'Write an amount such as 1.5.'
      : limits.data && amount < least ? `The least deposit is ${coins(String(least))} AITBC.`
        : balance.data !== undefined && amount >= balance.data ? 'That is more than the account has, with the fee of the transaction.' : ''
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (amount !== null && wrong === '') does(amount, Number(life))
  }
  return (
    <Section title={title} aside={<span>you have {balance.data === undefined ? '…' : <Amount of={String(balance.data)} />}</span>}>
      {balance.data === 0n && <div className="notice"><p>This account has no coins. On a test network <Link href="/faucet">the faucet</Link> gives some.</p></div>}
      <form className="ask" onSubmit={submit}>
        <label>Deposit, in AITBC<input inputMode="decimal" value={text} onChange={(e) => setText(e.target.value)} aria-invalid={wrong !== ''} aria-describedby={help} required /></label>
        <label>It ends by itself after<select value={life} onChange={(e) => setLife(e.target.value)}>{lives.map(([s, name]) => <option key={s} value={s}>{name}</option>)}</select></label>
        <button type="submit" className="primary" disabled={wrong !== '' || busy}>{button}</button>
      </form>
      <p id={help} className="help" role={wrong ? 'alert' : undefined}>{wrong || 'The deposit is the most that this session can cost. What is not used comes back when you close it, or at its end by itself.'}</p>
    </Section>
  )
}
