// A job, its receipt, the settlement and the block in one view. The receipt is
// its client's and its miner's: it comes from the coordinator with their key, or
// from a file, and is checked here.
import { Amount, ask, Badge, count, Failure, Facts, Id, Link, Refused, Section, useAsk, utc, Waiting, type Event, type Page } from '@aitbc/shared'
import { check, parse, word, type Bundle, type Checked, type Verdict } from '@aitbc/shared/receipt'
import { useEffect, useState, type ChangeEvent, type FormEvent, type ReactNode } from 'react'
import { Events } from './events.js'
import { useHead } from './live.js'

export default function Job({ id }: { id: string }) {
  const status = useHead()
  const [key, setKey] = useState('')
  const [error, setError] = useState<Error>()
  const [bundle, setBundle] = useState<Bundle>()
  const [checked, setChecked] = useState<Checked>()
  const chain = status ? Number(status.chain_id) : 0
  useEffect(() => {
    if (!bundle || !chain) return
    let current = true
    setChecked(undefined)
    void check(bundle, chain).then((c) => current && setChecked(c))
    return () => {
      current = false
    }
  }, [bundle, chain])
  const take = (text: string) => {
    setError(undefined)
    try {
      setBundle(parse(text))
    } catch (e) {
      setBundle(undefined)
      setChecked(undefined)
      setError(new Error(e instanceof SyntaxError ? 'This file holds no receipt: aitbc receipts --job-id JOB --json writes one.' : word(e)))
    }
  }
  const fetchIt = async (e: FormEvent) => {
    e.preventDefault()
    setError(undefined)
    try {
      let found: unknown
      try {
        found = await ask<unknown>(`/coordinator/v1/receipts?job_id=${encodeURIComponent(id)}`, { key })
      } catch (e) {
        if (!(e instanceof Refused) || e.status !== 404) throw e
        found = await ask<unknown>(`/coordinator/v1/receipts/${encodeURIComponent(id)}`, { key })
      }
      take(JSON.stringify(found))
    } catch (cause) {
      setError(cause instanceof Error ? cause : new Error(String(cause)))
    }
  }
  const open = (e: ChangeEvent<HTMLInputElement>) => {
    const file = e.target.files?.[0]
    if (file) void file.text().then(take)
  }
  return (
    <>
      <h1>Job and receipt {checked && <Outcome of={checked} />}</h1>
      {id && <p><Id of={id} whole /></p>}
      {id && <OnChain id={id} />}
      <Section title="Open the receipt" aside={<span>it is its client’s and its miner’s</span>}>
        {id && (
          <form className="ask" onSubmit={(e) => void fetchIt(e)}>
            <label>Your API key: it goes to the coordinator with this one question, and is not kept
              <input type="password" value={key} onChange={(e) => setKey(e.target.value)} autoComplete="off" required />
            </label>
            <button type="submit">Ask the coordinator</button>
          </form>
        )}
        <form className="ask">
          <label>{id ? 'Or a file of it' : 'A file'}, as aitbc receipts --job-id JOB --json writes it
            <input type="file" accept=".json,application/json" onChange={open} />
          </label>
        </form>
      </Section>
      {error && <Failure error={error} />}
      {bundle && !checked && <Waiting />}
      {checked && <Whole of={checked} />}
    </>
  )
}

function Outcome({ of }: { of: Checked }) {
  if (!of.signed.ok || of.settled?.ok === false) return <Badge kind="bad">✗ does not hold</Badge>
  if (!of.settled) return <Badge kind="warn">signed, not settled yet</Badge>
  return <Badge kind="good">✓ holds</Badge>
}

/** What the contracts said of the receipt, if it was a direct job's or was claimed. */
function OnChain({ id }: { id: string }) {
  const events = useAsk<Page<Event>>(/^0x[0-9a-f]{64}$/i.test(id) ? `/api/events?receipt=${id}` : null)
  if (!events.data || events.data.items.length === 0) return null
  return <Section title="What the contracts said of it"><Events list={events.data.items} placed /></Section>
}

function Step({ title, verdict, children }: { title: string; verdict?: Verdict | null; children: ReactNode }) {
  return (
    <li className={verdict ? (verdict.ok ? 'good' : 'bad') : undefined}>
      <h3>{title} {verdict && (verdict.ok ? <Badge kind="good">✓ checked here</Badge> : <Badge kind="bad">✗ does not hold</Badge>)}</h3>
      {verdict && <div className={verdict.ok ? 'notice good' : 'notice bad'}><p>{verdict.text}</p></div>}
      {children}
    </li>
  )
}

const levels = ['signed receipt', 'evidence committed', 'random audits', 'exact replay', 'zero-knowledge proof', 'chain-verified']

function Whole({ of }: { of: Checked }) {
  const { order: o, receipt: r } = of.bundle
  const time = (ms: number) => <time className="num">{utc(new Date(ms))}</time>
  return (
    <Section title="From job to block">
      <ol className="path">
        <Step title="Job">
          <Facts list={[
            ['Job', <Id of={r.order} whole />],
            ['Session', <><Link href={`/session/${o.session}`}>{o.session}</Link>, order {o.number}</>],
            ['Client', <Id of={r.client} to={`/address/${r.client}`} whole />],
            ['Model', <Id of={o.model} whole />],
            ['At most', <Amount of={o.maxPrice} />],
          ]} />
        </Step>
        <Step title="Receipt" verdict={of.signed}>
          <Facts list={[
            ['Receipt', <Id of={of.bundle.receipt_id} whole />],
            ['Miner', <Id of={r.miner} to={`/address/${r.miner}`} whole />],
            ['Ran', <>{of.bundle.class}<br />{time(r.startedAt)}, for {count(r.finishedAt - r.startedAt)} ms</>],
            ['Tokens', `${count(r.promptTokens)} read, ${count(r.completionTokens)} written`],
            ['Price', <Amount of={r.price} />],
            ['Output is committed to as', <Id of={r.output} whole />],
            ['Level', `L${r.level}: ${levels[r.level] ?? 'unknown'}`],
          ]} />
        </Step>
        <Step title="Settlement" verdict={of.settled}>
          {of.tx && of.event ? (
            <Facts list={[
              ['Transaction', <Id of={of.tx.hash} to={`/tx/${of.tx.hash}`} whole />],
              ['Batch', <>{String(of.event.args['batch'])}, of {String(of.event.args['count'])} receipts</>],
              ['Root', <Id of={String(of.event.args['root'])} whole />],
              ['Coordinator', <Id of={r.coordinator} to={`/address/${r.coordinator}`} whole />],
            ]} />
          ) : (
            <p className="empty">{of.bundle.settlement ? 'Not found on this chain.' : 'It waits for the coordinator’s next settlement.'}</p>
          )}
        </Step>
        <Step title="Block">
          {of.block ? (
            <Facts list={[
              ['Block', <><Link href={`/block/${of.block.height}`}>{count(of.block.height)}</Link> <Badge kind="good">✓ final</Badge></>],
              ['Hash', <Id of={of.block.hash} whole />],
              ['Time', time(new Date(of.block.time).getTime())],
            ]} />
          ) : (
            <p className="empty">None yet.</p>
          )}
          <p><small>This page takes the chain’s word from the explorer’s server. <b>aitbc verify</b> checks the same receipt against the genesis alone, without any server.</small></p>
        </Step>
      </ol>
    </Section>
  )
}
