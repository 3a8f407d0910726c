// What an account did.
import { useState } from 'react'
import type { Entry, History as Data } from '../worker/history.js'
import { call, useLoad, useTask } from './call.js'
import { Amount, Copy, Facts, Foreign, Id, Problem, Title, useWallet, Waiting } from './parts.js'
import { Outcome } from './send.js'

const words: Record<Entry['state'], [string, string]> = {
  pending: ['waits for a block', 'warn'], included: ['in a block', 'good'], failed: ['failed', 'bad'], replaced: ['replaced', 'plain'], refused: ['not sent', 'bad'],
}

export function History() {
  const { status } = useWallet()
  const me = status.account!
  const past = useLoad(() => call('history', me.address), [me.address, status.network.id, status.network.chainId], 3_000)
  const [asked, setAsked] = useState<string>()
  if (asked) return <Outcome id={asked} back="#/history" again={() => setAsked(undefined)} />
  return (
    <>
      <Title back="#/">Activity of {me.name}</Title>
      {past.value ? <Entries of={past.value} me={me.address} ask={setAsked} /> : past.error ? <Problem error={past.error} /> : <Waiting />}
    </>
  )
}

/** A list of entries, each with its particulars on demand. ask is given what is to be reviewed. */
export function Entries({ of, me, most, ask }: { of: Data; me: string; most?: number; ask?: (key: string) => void }) {
  const list = most === undefined ? of.entries : of.entries.slice(0, most)
  return (
    <>
      {list.length === 0 ? <p className="empty">Nothing yet. What you send stands here, with what became of it.</p> : (
        <ul className="entries">{list.map((e) => <Line key={e.hash} of={e} me={me} ask={ask} />)}</ul>
      )}
      {most === undefined && of.explorer !== 'ok' && (
        <p className="soft">{of.explorer === 'none' ? 'This network has no explorer here: only what this wallet sent is shown.' : 'The explorer does not answer: only what this wallet sent is shown.'}</p>
      )}
    </>
  )
}

function Line({ of: e, me, ask }: { of: Entry; me: string; ask?: (key: string) => void }) {
  const { status } = useWallet()
  const [open, setOpen] = useState(false)
  const [word, kind] = words[e.state]
  const incoming = e.to === me && e.from !== me
  const at = new Date(e.at)
  return (
    <li>
      <button type="button" className="entry" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="text"><Foreign text={e.text} /></span>
        {e.value !== '0' && <span className="much"><Amount of={e.value} sign={incoming ? '+' : '−'} /></span>}
        <time className="soft" dateTime={at.toISOString()}>{at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })}</time>
        <span className={`badge ${kind}`}>{word}</span>
      </button>
      {open && (
        <>
          {e.why && <p className="hint bad"><Foreign text={e.why} /></p>}
          <Facts list={[
            ['From', <Id of={e.from} />],
            ...(e.to ? [['To', <Id of={e.to} />] as [string, React.ReactNode]] : []),
            ...(e.origin ? [['Asked by', <Foreign text={e.origin} />] as [string, React.ReactNode]] : []),
            ...(e.height !== null ? [['Block', e.height] as [string, React.ReactNode]] : []),
            ['Hash', <><span className="id whole">{e.hash}</span><Copy text={e.hash} what="the hash" /></>],
          ]} />
          {e.replaceable && ask && <Replace of={e} ask={ask} />}
          {status.network.explorer && <p><a href={`${status.network.explorer}/tx/${e.hash}`} target="_blank" rel="noreferrer">See it in the explorer</a></p>}
        </>
      )}
    </li>
  )
}

/** Ways to have a transaction that waits done sooner, or not at all. */
function Replace({ of, ask }: { of: Entry; ask: (key: string) => void }) {
  const task = useTask()
  const begin = (how: 'faster' | 'cancel') => task.run(async () => ask(await call('askReplace', of.hash, how)))
  return (
    <>
      <Problem error={task.error} />
      <p className="actions">
        <button type="button" disabled={task.busy} onClick={() => begin('faster')}>Speed up</button>
        <button type="button" disabled={task.busy} onClick={() => begin('cancel')}>Cancel it</button>
      </p>
    </>
  )
}
