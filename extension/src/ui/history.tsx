// What an account did.
import { useState } from 'react'
import type { Entry, History as Data } from '../worker/history.js'
import { call, useLoad } from './call.js'
import { Amount, Copy, Facts, Foreign, Id, Problem, Title, useWallet, Waiting } from './parts.js'

const words: Record<Entry['state'], [string, string]> = {
  pending: ['waits for a block', 'warn'], included: ['in a block', 'good'], failed: ['failed', 'bad'], replaced: ['replaced', 'plain'], refused: ['not sent', 'bad'],
}

export function History() {
  const { status } = useWallet()
  const me = status.account!
  const past = useLoad(() => call('history', me.address), [me.address, status.network.id, status.network.chainId], 3_000)
  return (
    <>
      <Title back="#/">Activity of {me.name}</Title>
      {past.value ? <Entries of={past.value} me={me.address} /> : past.error ? <Problem error={past.error} /> : <Waiting />}
    </>
  )
}

/** A list of entries, each with its particulars on demand. */
export function Entries({ of, me, most }: { of: Data; me: string; most?: number }) {
  const list = most === undefined ? of.entries : of.entries.slice(0, most)
  return (
    <>
      {list.length === 0 ? <p className="empty">Nothing yet. What you send stands here, with what became of it.</p> : (
        <ul className="entries">{list.map((e) => <Line key={e.hash} of={e} me={me} />)}</ul>
      )}
      {most === undefined && of.explorer !== 'ok' && (
        <p className="soft">{of.explorer === 'none' ? 'This network has no explorer here: only what this wallet sent is shown.' : 'The explorer does not answer: only what this wallet sent is shown.'}</p>
      )}
    </>
  )
}

function Line({ of: e, me }: { of: Entry; me: string }) {
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
          {status.network.explorer && <p><a href={`${status.network.explorer}/tx/${e.hash}`} target="_blank" rel="noreferrer">See it in the explorer</a></p>}
        </>
      )}
    </li>
  )
}
