import { Amount, coins, Failure, Section, useNow, Waiting } from '@aitbc/shared'
import { useEffect, useState } from 'react'
import { Gate, Wrong, type Who } from '@aitbc/shared/wallet/gate'
import { Chat } from './chat.js'
import { Earlier } from './earlier.js'
import { authorise, close, dismiss, forget, refresh, useLive, withdraw, type Held } from './live.js'
import { phase } from './machine.js'
import { Others } from './others.js'
import { Opening } from './open.js'
import { Bar, Ended, Ending } from './session.js'

export default function Playground() {
  return (
    <>
      <h1>Playground</h1>
      <Gate why="You deposit some coins, a key made in this page spends them answer by answer, and the rest comes back when you close. The wallet is asked twice, and then not again until you close.">
        {(who) => <Sessions key={who.account} who={who} />}
      </Gate>
    </>
  )
}

function Sessions({ who }: { who: Who }) {
  const live = useLive()
  const now = useNow() / 1000
  const [error, setError] = useState<Error>()
  const [more, setMore] = useState(false)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>
    let gone = false
    const look = async () => {
      try {
        await refresh(who.account, who.chain)
        setError(undefined)
      } catch (e) {
        setError(e instanceof Error ? e : new Error(String(e)))
      }
      if (!gone) timer = setTimeout(() => void look(), 2_000)
    }
    void look()
    return () => {
      gone = true
      clearTimeout(timer)
    }
  }, [who.account, who.chain])
  if (error && !live.loaded) return <Failure error={new Error(`Your sessions cannot be shown now: ${error.message.split('\n')[0]}. They are on the chain, and safe.`)} />
  if (!live.loaded) return <Waiting />
  const by = live.held.map((h) => ({ h, at: phase(h.kept, h.chain, now) }))
  const active = by.find((x) => x.at === 'open')
  const fresh = by.filter((x) => x.at === 'unkeyed' || x.at === 'asking' || x.at === 'looking')
  const ending = by.filter((x) => x.at === 'closing' || x.at === 'due')
  const ended = by.filter((x) => x.at === 'closed')
  return (
    <>
      {live.trouble && <Wrong of={live.trouble} close={dismiss} />}
      {active && <Bar held={active.h} doing={live.doing} close={() => void close(active.h.kept)} />}
      {!live.doing && fresh.map(({ h, at }) => at !== 'looking' && <Unfinished key={h.kept.spender} held={h} />)}
      {active ? <Chat held={active.h} turns={live.turns} /> : (
        <>
          {live.turns.length > 0 && <Chat held={undefined} turns={live.turns} />}
          {(!fresh.some((x) => x.at === 'unkeyed') || live.doing !== undefined) && <Opening who={who} doing={live.doing} />}
        </>
      )}
      {active && <Earlier held={active.h} turns={live.turns} />}
      {ending.map(({ h, at }) => <Ending key={h.kept.spender} held={h} due={at === 'due'} />)}
      {live.owed > 0n && (
        <div className="notice gate">
          <p><b>The Market owes you <Amount of={String(live.owed)} />.</b> They could not be sent to your account, which is a contract: fetch them.</p>
          <button type="button" disabled={!!live.doing} onClick={() => void withdraw(who.account)}>Fetch {coins(String(live.owed))} AITBC</button>
        </div>
      )}
      {ended.length > 0 && (
        <Section title="Sessions that are over" aside={ended.length > 1 && <button type="button" onClick={() => setMore(!more)} aria-expanded={more}>{more ? 'Only the last' : `All ${ended.length}`}</button>}>
          {(more ? ended : ended.slice(0, 1)).map(({ h }) => <Ended key={h.kept.spender} held={h} />)}
        </Section>
      )}
      <Others who={who} title="Your sessions elsewhere" />
    </>
  )
}

/** A session whose opening was interrupted: nothing of it is lost. */
function Unfinished({ held: { kept: k, chain } }: { held: Held }) {
  const old = useNow() - k.made > 120_000
  if (!chain) {
    return (
      <div className="notice gate">
        <p><b>A deposit of <Amount of={k.deposit} /> was asked for, and is in no block yet.</b> If your wallet sent it, the session shows up here by itself. If you declined, nothing was spent.</p>
        {old && <button type="button" onClick={() => void forget(k)}>It was never sent: forget it</button>}
      </div>
    )
  }
  return (
    <div className="notice gate">
      <p><b>Session {k.session} is open, with <Amount of={String(chain.deposit)} />, and has no API key.</b> Your wallet signs for one once more, which costs nothing; or close the session, and all that is left comes back.</p>
      <div className="actions">
        <button type="button" className="primary" onClick={() => void authorise(k)}>Sign for the API key</button>
        <button type="button" onClick={() => void close(k)}>Close the session</button>
      </div>
    </div>
  )
}
