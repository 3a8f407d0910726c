import { Amount, Badge, Link, Section, useAsk, useLocation } from '@aitbc/shared'
import { useEffect, useId, useRef, useState, type FormEvent, type KeyboardEvent } from 'react'
import type { Ask } from '../../../../sdk/ts/src/api.js'
import { choices, rowsOf } from '../market/offers.js'
import { modelPath } from '../market/parts.js'
import { replace } from '../market/url.js'
import type { Miners } from '../types.js'
import { Wrong } from '@aitbc/shared/wallet/gate'
import { clear, say, stop, type Held } from './live.js'
import { busy, fit, type Turn } from './machine.js'
import { TurnReceipt } from './receipt.js'

const states: Record<Turn['state'], string> = {
  signing: 'Signing the order, and sealing it to the miners…', queued: 'Waiting for a miner…', running: 'Answering…', stopping: 'Stopping…', done: '', stopped: 'Stopped by you', failed: '',
}

/** The conversation; without a session only what was said. */
export function Chat({ held, turns }: { held: Held | undefined; turns: readonly Turn[] }) {
  const url = useLocation()
  const miners = useAsk<Miners>('/coordinator/v1/miners', 5_000)
  const rows = rowsOf(miners.data?.miners ?? []).filter((r) => !r.offer.kind)
  const models = choices(rows, (o) => o.model)
  const wish = url.searchParams.get('model') ?? ''
  const model = wish !== '' ? wish : (models[0] ?? '')
  const only = url.searchParams.get('miner') ?? ''
  const here = rows.filter((r) => r.offer.model === model && (only === '' || r.miner.miner.toLowerCase() === only.toLowerCase()))
  const context = here.length > 0 ? Math.min(...here.map((r) => r.offer.context)) : 0
  const [text, setText] = useState('')
  const [most, setMost] = useState('128')
  const [warm, setWarm] = useState('0.7')
  const [sealed, setSealed] = useState(true)
  const [long, setLong] = useState(false)
  const hint = useId()
  const end = useRef<HTMLDivElement>(null)
  const working = busy(turns)
  const last = turns.at(-1)
  useEffect(() => {
    end.current?.scrollIntoView({ block: 'nearest' })
  }, [turns.length, last?.text.length])
  const choose = (m: string, miner: string) => {
    const p = new URLSearchParams()
    if (m) p.set('model', m)
    if (miner) p.set('miner', miner)
    replace(`/play${p.size > 0 ? `?${p}` : ''}`)
  }
  const ask = (question: string) => {
    if (!held || working || question.trim() === '') return
    const tokens = Math.max(1, Math.min(Number(most) || 1, here[0]?.offer.max_tokens ?? 1))
    const messages = fit(turns, question, context || 4096, tokens)
    setLong(messages === null)
    if (!messages) return
    const a: Ask = { model, messages, max_tokens: tokens, temperature: Number(warm), ...(only ? { constraints: { miners: [only as `0x${string}`] } } : {}) }
    setText('')
    void say(held.kept, a, question, sealed)
  }
  const submit = (e: FormEvent) => {
    e.preventDefault()
    ask(text)
  }
  const key = (e: KeyboardEvent) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.nativeEvent.isComposing) {
      e.preventDefault()
      ask(text)
    }
  }
  return (
    <Section title="Conversation" aside={turns.length > 0 && !working ? <button type="button" onClick={clear}>New conversation</button> : undefined}>
      <div className="talk" role="log" aria-label="Conversation" tabIndex={0}>
        {turns.length === 0 && <p className="empty">Ask something. What you write is sealed in this page to the miners that may run it: the coordinator passes on what it cannot read.</p>}
        {turns.map((t, i) => <One key={i} turn={t} held={held} again={() => ask(t.question)} />)}
        <div ref={end} />
      </div>
      {held && (
        <form onSubmit={submit} className="say">
          {models.length === 0 && miners.data && <div className="notice"><p><b>No miner is here now.</b> The session keeps its coins: ask when one comes, or close it.</p></div>}
          {model !== '' && models.length > 0 && here.length === 0 && <div className="notice"><p><b>{only ? 'That miner does not offer this model now.' : 'Nobody offers this model now.'}</b> Choose another below.</p></div>}
          <label className="skip" htmlFor={hint}>Your question</label>
          <textarea id={hint} rows={3} value={text} onChange={(e) => { setText(e.target.value); setLong(false) }} onKeyDown={key} placeholder="Your question (Enter sends, Shift+Enter breaks the line)" maxLength={100_000} aria-invalid={long} />
          {long && <p className="help" role="alert">That is longer than what the model reads, with room for the answer: {context} tokens. Shorten it, or ask for a shorter answer.</p>}
          <div className="actions">
            {working ? <button type="button" onClick={() => void stop()} disabled={last?.state === 'stopping'}>Stop</button> : <button type="submit" className="primary" disabled={text.trim() === '' || here.length === 0}>Send</button>}
            <span className="help">{sealed ? 'sealed to the miner' : 'the coordinator can read this'}</span>
          </div>
          <details>
            <summary>Model and settings</summary>
            <div className="ask filters">
              <label>Model<select value={model} onChange={(e) => choose(e.target.value, '')}>{(model === '' || models.includes(model) ? models : [...models, model]).map((m) => <option key={m}>{m}</option>)}</select></label>
              <label>Miner<select value={here.length > 0 ? only.toLowerCase() : only} onChange={(e) => choose(model, e.target.value)}><option value="">any</option>{[...new Set([...rows.filter((r) => r.offer.model === model).map((r) => r.miner.miner.toLowerCase()), ...(only ? [only.toLowerCase()] : [])])].map((m) => <option key={m} value={m}>{m}</option>)}</select></label>
              <label>Longest answer, in tokens<input inputMode="numeric" value={most} onChange={(e) => setMost(e.target.value.replace(/\D/g, '').slice(0, 7))} /></label>
              <label>Temperature<select value={warm} onChange={(e) => setWarm(e.target.value)}>{['0', '0.3', '0.7', '1', '1.3'].map((v) => <option key={v}>{v}</option>)}</select></label>
              <label className="check"><input type="checkbox" checked={sealed} onChange={(e) => setSealed(e.target.checked)} /> seal to the miner</label>
            </div>
            {model !== '' && <p><small><Link href={modelPath(model)}>About <bdi>{model}</bdi></Link></small></p>}
          </details>
        </form>
      )}
    </Section>
  )
}

function One({ turn: t, held, again }: { turn: Turn; held: Held | undefined; again: () => void }) {
  return (
    <article className="turn" data-state={t.state} data-pieces={t.tokens}>
      <p className="question"><b className="skip">You: </b>{t.question}</p>
      {(t.text !== '' || t.state !== 'failed') && <p className="answer" aria-busy={t.state === 'running'}><b className="skip">Answer: </b>{t.text}{t.state === 'running' && <i className="caret" aria-hidden="true" />}</p>}
      {t.trouble && <Wrong of={t.trouble} />}
      <div className="under">
        {states[t.state] !== '' && <span role="status">{t.state === 'signing' && !t.sealed ? 'Signing the order…' : states[t.state]}</span>}
        {t.price !== undefined && t.state !== 'failed' && <span data-price={t.price}>Paid <Amount of={t.price} /></span>}
        {t.receipt && (t.matches ? <Badge kind="good">✓ the receipt is for this answer</Badge> : <Badge kind="plain">receipt</Badge>)}
        {t.sealed ? null : <Badge kind="warn">not sealed</Badge>}
        {t.trouble?.again && <button type="button" onClick={again}>Ask again</button>}
      </div>
      {t.receipt && t.job && held && <TurnReceipt held={held} job={t.job} />}
    </article>
  )
}
