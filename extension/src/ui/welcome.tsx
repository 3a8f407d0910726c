// A new wallet: made here, or brought along.
import { useMemo, useState } from 'react'
import type { Source } from '../worker/commands.js'
import { call, useLoad, useTask } from './call.js'
import { Copy, Form, Notice, Passphrase, Problem, Title, Waiting } from './parts.js'
import { SourceFields, emptySource } from './source.js'

const least = 8

export function Welcome() {
  return (
    <>
      <div className="hero">
        <img src="icons/128.png" alt="" width="64" height="64" />
        <h1>AITBC Wallet</h1>
        <p>Your keys stay in this browser, encrypted. You see what you sign before you sign it.</p>
      </div>
      <p className="actions column">
        <a className="button primary" href="#/create">Create a wallet</a>
        <a className="button" href="#/import">I have a phrase, a key or a key file</a>
      </p>
      <p className="soft">This is for test networks: nobody but our own tests has audited it.</p>
    </>
  )
}

/** Asks for a new passphrase, twice. */
function NewPassphrase({ onDone, busy, error, action }: { onDone: (p: string) => void; busy: boolean; error?: Error; action: string }) {
  const [first, setFirst] = useState('')
  const [second, setSecond] = useState('')
  const [tried, setTried] = useState(false)
  const short = [...first].length < least ? `${least} characters at least. Several words are good.` : undefined
  const differs = first !== second ? 'It is not the same as above.' : undefined
  const go = () => {
    setTried(true)
    if (!short && !differs) onDone(first)
  }
  return (
    <Form onSubmit={go}>
      <p>The passphrase encrypts the wallet in this browser. Nobody can reset it: with the phrase of your wallet you can begin again.</p>
      <Passphrase label="New passphrase" value={first} onChange={setFirst} hint={short ?? 'It is used nowhere else, is it?'} error={tried ? short : undefined} fresh focus />
      <Passphrase label="The same again" value={second} onChange={setSecond} error={tried ? differs : undefined} fresh />
      <Problem error={error} />
      <p className="actions">
        <button type="submit" className="primary" disabled={busy}>{busy ? 'Encrypting…' : action}</button>
      </p>
    </Form>
  )
}

type Step = 'warn' | 'show' | 'confirm' | 'passphrase'

export function Create() {
  const [step, setStep] = useState<Step>('warn')
  const phrase = useLoad(() => call('newPhrase', 12), [])
  const task = useTask()
  const words = phrase.value?.split(' ') ?? []
  if (phrase.error) return <Problem error={phrase.error} />
  if (!phrase.value) return <Waiting />
  return (
    <>
      <Title back="#/">Create a wallet</Title>
      {step === 'warn' && (
        <>
          <p>You will see twelve words. They are the wallet: whoever has them has its coins, and without them a lost browser is a lost wallet.</p>
          <ul className="tight">
            <li>Write them on paper, in their order.</li>
            <li>Make no picture of them, and keep them in no cloud.</li>
            <li>No site and no person of ours will ever ask for them.</li>
          </ul>
          <p className="actions"><button type="button" className="primary" onClick={() => setStep('show')}>Show the words</button></p>
        </>
      )}
      {step === 'show' && (
        <>
          <ol className="words" aria-label="The phrase">{words.map((w, n) => <li key={n}>{w}</li>)}</ol>
          <p className="soft">To copy them into a password manager: <Copy text={phrase.value} what="the phrase" /></p>
          <p className="actions"><button type="button" className="primary" onClick={() => setStep('confirm')}>I have written them down</button></p>
        </>
      )}
      {step === 'confirm' && <Confirm words={words} onBack={() => setStep('show')} onDone={() => setStep('passphrase')} />}
      {step === 'passphrase' && (
        <NewPassphrase busy={task.busy} error={task.error} action="Create the wallet" onDone={(p) => task.run(async () => {
          await call('create', { kind: 'phrase', phrase: phrase.value! }, p)
          window.location.hash = '#/'
        })} />
      )}
    </>
  )
}

/** Three places of the phrase, in their order. */
function places(n: number): number[] {
  const all = Array.from({ length: n }, (_, i) => i)
  const picked: number[] = []
  for (let i = 0; i < 3; i++) picked.push(...all.splice(crypto.getRandomValues(new Uint32Array(1))[0]! % all.length, 1))
  return picked.sort((a, b) => a - b)
}

function Confirm({ words, onBack, onDone }: { words: string[]; onBack: () => void; onDone: () => void }) {
  const asked = useMemo(() => places(words.length), [words.length])
  const [given, setGiven] = useState<Record<number, string>>({})
  const [tried, setTried] = useState(false)
  const wrong = (n: number) => given[n]?.trim().toLowerCase() !== words[n]
  const go = () => {
    setTried(true)
    if (!asked.some(wrong)) onDone()
  }
  return (
    <Form onSubmit={go}>
      <p>So that we know it is on paper: which words are these?</p>
      {asked.map((n, i) => (
        <div className="field" key={n}>
          <label htmlFor={`word${n}`}>Word {n + 1}</label>
          <input id={`word${n}`} value={given[n] ?? ''} autoFocus={i === 0} autoComplete="off" autoCapitalize="none" spellCheck={false} aria-invalid={tried && wrong(n) ? true : undefined} aria-describedby={tried && wrong(n) ? `word${n}-hint` : undefined} onChange={(e) => setGiven({ ...given, [n]: e.target.value })} />
          {tried && wrong(n) && <p id={`word${n}-hint`} className="hint bad">This is another word than the phrase has there.</p>}
        </div>
      ))}
      <p className="actions">
        <button type="button" onClick={onBack}>Show them again</button>
        <button type="submit" className="primary">Go on</button>
      </p>
    </Form>
  )
}

export function Import() {
  const [source, setSource] = useState<Source>(emptySource('phrase'))
  const [ready, setReady] = useState(false)
  const task = useTask()
  return (
    <>
      <Title back="#/">Import a wallet</Title>
      {ready ? (
        <>
          {source.kind !== 'phrase' && <Notice>This wallet will have one account and no phrase. Keep the key: it is the only way back.</Notice>}
          <NewPassphrase busy={task.busy} error={task.error} action="Import" onDone={(p) => task.run(async () => {
            await call('create', source, p)
            window.location.hash = '#/'
          })} />
          {task.error && <p><button type="button" onClick={() => { task.clear(); setReady(false) }}>Change what is imported</button></p>}
        </>
      ) : (
        <Form onSubmit={() => setReady(true)}>
          <SourceFields source={source} onChange={setSource} kinds={['phrase', 'hex', 'file']} />
          <p className="actions"><button type="submit" className="primary">Go on</button></p>
        </Form>
      )}
    </>
  )
}
