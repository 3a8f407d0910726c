import { Ago, Amount, Answer, Badge, coins, Failure, Link, Section, Table, units, useAsk, Waiting } from '@aitbc/shared'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { rowsOf } from '../market/offers.js'
import type { Config, Miners } from '../types.js'
import { dismiss, keyDelegated, openDelegated, useLive, type Doing } from '../play/live.js'
import { Deposit } from '../play/open.js'
import { Others } from '../play/others.js'
import { Gate, Wrong, type Who } from '@aitbc/shared/wallet/gate'
import { trouble, type Trouble } from '@aitbc/shared/wallet/trouble'
import { keysOf, login, make, revoke, type Budget, type Key, type Login } from './login.js'
import { languages, snippet, type Language } from './snippets.js'

// It lasts as long as the page: a token that is kept nowhere is stolen from nowhere.
let current: Login | undefined

export default function Keys() {
  const [key, setKey] = useState('')
  return (
    <>
      <h1>Use it from code</h1>
      <Code apiKey={key} />
      <Gate why="Your API keys belong to the account that opened the session. The wallet signs in once, by EIP-4361: that costs nothing, and gives no right to spend.">
        {(who) => (
          <div key={who.account}>
            <Shown of={key} />
            <Programs who={who} show={setKey} />
            <Signed who={who} show={setKey} />
          </div>
        )}
      </Gate>
    </>
  )
}

function Shown({ of }: { of: string }) {
  if (of === '') return null
  return (
    <div className="notice good" role="status">
      <p><b>Your new key, shown this once:</b> <code className="secret">{of}</code></p>
      <button type="button" onClick={() => void navigator.clipboard.writeText(of)}>Copy</button>
    </div>
  )
}

/** A session for which the coordinator signs: what a program needs that knows only an API key. */
function Programs({ who, show }: { who: Who; show: (key: string) => void }) {
  const live = useLive()
  const words: Partial<Record<Doing, string>> = { deposit: 'The wallet asks for the deposit…', api: 'The wallet signs for the API key…' }
  return (
    <>
      {live.trouble && <Wrong of={live.trouble} close={dismiss} />}
      <Deposit who={who} busy={live.doing !== undefined} title="Open a session for your programs" button={(live.doing && words[live.doing]) ?? 'Deposit and get a key'} does={(amount, seconds) => void openDelegated(amount, seconds, show)} />
      <Others who={who} title="Your sessions for programs" take={(id) => void keyDelegated(id, show)} />
    </>
  )
}

function Code({ apiKey }: { apiKey: string }) {
  const config = useAsk<Config>('/api/config')
  const miners = useAsk<Miners>('/coordinator/v1/miners', 60_000)
  const [language, setLanguage] = useState<Language>('curl')
  const [model, setModel] = useState('')
  const [done, setDone] = useState(false)
  const models = [...new Set(rowsOf(miners.data?.miners ?? []).filter((r) => !r.offer.kind).map((r) => r.offer.model))].sort()
  const chosen = model || models[0] || 'aitbc-tiny'
  return (
    <Section title="Any OpenAI client speaks to this network" aside={<span className="tabs" role="group" aria-label="Language">{Object.entries(languages).map(([l, name]) => <button key={l} type="button" aria-pressed={l === language} onClick={() => { setLanguage(l as Language); setDone(false) }}>{name}</button>)}</span>}>
      <Answer of={config}>
        {(c) => {
          const text = snippet(language, { url: c.api_url, model: chosen, key: apiKey })
          return (
            <>
              {models.length > 1 && <form className="ask"><label>Model<select value={chosen} onChange={(e) => setModel(e.target.value)}>{models.map((m) => <option key={m}>{m}</option>)}</select></label></form>}
              <div className="code">
                <pre tabIndex={0} aria-label={`Example in ${languages[language]}`}><code>{text}</code></pre>
                <button type="button" onClick={() => void navigator.clipboard.writeText(text).then(() => setDone(true), () => {})}>{done ? 'Copied' : 'Copy'}</button>
              </div>
              <p className="help">{apiKey ? 'Your new key stands in it: it is shown this once.' : <>It reads your key from <code>AITBC_API_KEY</code>: make one below.</>} With such a key the coordinator signs for you and can read prompts. <Link href="/play">The playground</Link> and the SDKs sign themselves, and seal.</p>
            </>
          )
        }}
      </Answer>
    </Section>
  )
}

function Signed({ who, show }: { who: Who; show: (key: string) => void }) {
  const fresh = (l: Login | undefined) => (l && l.account.toLowerCase() === who.account && l.expires_at > Date.now() + 5_000 ? l : undefined)
  const [session, setSession] = useState(fresh(current))
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState<Trouble>()
  const go = async () => {
    setBusy(true)
    setWrong(undefined)
    try {
      current = await login()
      setSession(current)
    } catch (e) {
      setWrong(trouble(e))
    }
    setBusy(false)
  }
  if (!session) {
    return (
      <Section title="Your API keys">
        {wrong && <Wrong of={wrong} />}
        <p>Sign in with your wallet to see, make and revoke them.</p>
        <button type="button" className="primary" disabled={busy} onClick={() => void go()}>{busy ? 'The wallet asks…' : 'Sign in'}</button>
      </Section>
    )
  }
  return <List token={session.token} who={who} show={show} over={() => { current = undefined; setSession(undefined) }} />
}


function List({ token, who, show, over }: { token: string; who: Who; show: (key: string) => void; over: () => void }) {
  const client = useQueryClient()
  const keys = useQuery({ queryKey: ['keys', token], queryFn: () => keysOf(token), refetchInterval: 15_000, retry: false })
  const [wrong, setWrong] = useState<Trouble>()
  const reload = () => client.invalidateQueries({ queryKey: ['keys', token] })
  if (keys.error) return <Failure error={keys.error} retry={over} />
  if (!keys.data) return <Waiting />
  const end = async (k: Key) => {
    try {
      await revoke(token, k.id)
    } catch (e) {
      setWrong(trouble(e))
    }
    await reload()
  }
  const mine = keys.data.filter((k) => k.scope !== 'login')
  return (
    <>
      {wrong && <Wrong of={wrong} close={() => setWrong(undefined)} />}
      <Section title="Your API keys" aside={<span className="num">{mine.length}</span>}>
        {mine.length === 0 ? <p className="empty">There is none yet.</p> : (
          <Table cards name="Your API keys" rows={mine} id={(k) => k.id} columns={[
            { name: 'Name', of: (k) => <><bdi>{k.name || (k.made ? 'no name' : 'of the session')}</bdi><br /><small className="id">{k.id.slice(0, 12)}…</small></> },
            { name: 'May', of: (k) => <Badge kind={k.scope === 'client' ? 'warn' : 'plain'}>{k.scope === 'client' ? 'spend' : k.scope}</Badge> },
            { name: 'Session', right: true, of: (k) => (k.session ? <span className="num">{k.session}</span> : '–') },
            { name: 'Budget', right: true, of: (k) => <Spent of={k} /> },
            { name: 'Made', of: (k) => <Ago at={new Date(k.created_at).toISOString()} /> },
            { name: 'Ends', of: (k) => (k.expires_at ? new Date(k.expires_at).toLocaleString() : 'never') },
            { name: 'Revoke', of: (k) => <button type="button" aria-label={`Revoke ${k.name || k.id.slice(0, 12)}`} onClick={() => void end(k)}>Revoke</button> },
          ]} />
        )}
      </Section>
      <Make token={token} who={who} made={(k) => { show(k); void reload() }} wrong={setWrong} />
    </>
  )
}

const spans = [['total', 'in all'], ['day', 'a day'], ['month', 'a month']] as const

function Spent({ of }: { of: Key }) {
  if (!of.budget) return <small>none: the session’s deposit is the bound</small>
  const { budget, spent } = of
  return <>{spans.filter(([s]) => budget[s] !== '0').map(([s, name]) => <div key={s}><Amount of={spent?.[s] ?? '0'} /> <small>of {coins(budget[s])} {name}</small></div>)}</>
}

function Make({ token, who, made, wrong }: { token: string; who: Who; made: (key: string) => void; wrong: (t: Trouble | undefined) => void }) {
  const sessions = useAsk<{ items: { args: Record<string, unknown>; name: string }[] }>(`/explorer/api/events?address=${who.account}&limit=200`)
  const open = (sessions.data?.items ?? []).filter((e) => e.name === 'SessionOpened').map((e) => Number(e.args['session']))
  const [name, setName] = useState('')
  const [scope, setScope] = useState('client')
  const [session, setSession] = useState('0')
  const [life, setLife] = useState('2592000')
  const [rate, setRate] = useState('')
  const [limits, setLimits] = useState({ total: '', day: '', month: '' })
  const [busy, setBusy] = useState(false)
  const amounts = spans.map(([s]) => (limits[s] === '' ? 0n : units(limits[s])))
  const bad = amounts.some((a) => a === null)
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    wrong(undefined)
    try {
      const budget: Budget = { total: String(amounts[0]), day: String(amounts[1]), month: String(amounts[2]) }
      const has = scope === 'client' && amounts.some((a) => a !== 0n)
      const k = await make(token, { name, scope, session: Number(session), expires_in_seconds: Number(life), rate_per_minute: Number(rate || 0), ...(has ? { budget } : {}) })
      made(k.api_key)
      setName('')
    } catch (x) {
      wrong(trouble(x))
    }
    setBusy(false)
  }
  return (
    <Section title="Make a key">
      <form className="ask filters" onSubmit={(e) => void submit(e)}>
        <label>Name<input value={name} maxLength={60} onChange={(e) => setName(e.target.value)} placeholder="what it is for" /></label>
        <label>It may<select value={scope} onChange={(e) => setScope(e.target.value)}><option value="client">order jobs and spend</option><option value="read">only read</option></select></label>
        <label>Session<select value={session} onChange={(e) => setSession(e.target.value)}><option value="0">the newest that is open</option>{open.map((s) => <option key={s}>{s}</option>)}</select></label>
        <label>It ends after<select value={life} onChange={(e) => setLife(e.target.value)}><option value="3600">1 hour</option><option value="86400">1 day</option><option value="2592000">30 days</option><option value="0">never</option></select></label>
        <label>Requests a minute<input inputMode="numeric" value={rate} onChange={(e) => setRate(e.target.value.replace(/\D/g, '').slice(0, 6))} placeholder="no limit" /></label>
        {scope === 'client' && spans.map(([s, text]) => <label key={s}>Most {text}, in AITBC<input inputMode="decimal" value={limits[s]} aria-invalid={limits[s] !== '' && units(limits[s]) === null} onChange={(e) => setLimits({ ...limits, [s]: e.target.value })} placeholder="no limit" /></label>)}
        <button type="submit" className="primary" disabled={busy || bad}>{busy ? 'Making…' : 'Make key'}</button>
      </form>
      <p className="help">A key spends from one session, at most its deposit and its budget. Those of a session that <b>you</b> sign for, as the playground’s, cannot order by the OpenAI interface: the coordinator needs the right to sign, which a session for programs, above, gives.</p>
    </Section>
  )
}
