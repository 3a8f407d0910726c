// Settings: locking, blind signing, passphrase, phrase; and the ways to the rest.
import { useState } from 'react'
import { lockChoices } from '../worker/settings.js'
import { call, useTask } from './call.js'
import { Copy, Form, Notice, Passphrase, Problem, Title, useWallet } from './parts.js'

export function Settings() {
  const { status } = useWallet()
  const task = useTask()
  return (
    <>
      <Title back="#/">Settings</Title>
      <ul className="menu">
        <li><a href="#/settings/accounts">Accounts <span className="soft">{status.accounts.length}</span></a></li>
        <li><a href="#/settings/networks">Networks <span className="soft">{status.network.name}</span></a></li>
        <li><a href="#/settings/sites">Connected sites</a></li>
        {status.hasPhrase && <li><a href="#/settings/phrase">Show the phrase</a></li>}
        <li><a href="#/settings/passphrase">Change the passphrase</a></li>
      </ul>
      <div className="field">
        <label htmlFor="lock">Lock after</label>
        <select id="lock" value={status.settings.lockMinutes} onChange={(e) => task.run(() => call('setLock', Number(e.target.value)))}>
          {lockChoices.map((m) => <option key={m} value={m}>{m < 60 ? `${m} min` : `${m / 60} h`} without anybody</option>)}
        </select>
        <p className="hint">It locks too when the screen does, and when the browser ends.</p>
      </div>
      <div className="field">
        <label className="check">
          <input type="checkbox" checked={status.settings.blind} aria-describedby="blind-hint" onChange={(e) => task.run(() => call('setBlind', e.target.checked))} />
          <span>Allow blind signing</span>
        </label>
        <p className="hint" id="blind-hint">Lets sites ask for signatures that this wallet cannot put in words: calls of unknown contracts, typed data of others. Most thefts are such signatures.</p>
      </div>
      {status.settings.blind && <Notice kind="warn">Blind signing is on.</Notice>}
      <Problem error={task.error} />
      <p className="soft">Version {chrome.runtime.getManifest().version}</p>
    </>
  )
}

/** Shows a secret to who knows the passphrase. */
export function Reveal({ of, name }: { of: 'phrase' | `0x${string}`; name: string }) {
  const [passphrase, setPassphrase] = useState('')
  const [secret, setSecret] = useState<string>()
  const task = useTask()
  if (secret !== undefined) {
    return (
      <>
        <Notice kind="bad">Whoever sees this has the coins. No site and no person of ours needs it.</Notice>
        {of === 'phrase' ? <ol className="words" aria-label="The phrase">{secret.split(' ').map((w, n) => <li key={n}>{w}</li>)}</ol> : <p className="id whole">{secret}</p>}
        <p className="soft">To copy it: <Copy text={secret} what={name} /></p>
        <p className="actions"><button type="button" onClick={() => setSecret(undefined)}>Hide it</button></p>
      </>
    )
  }
  return (
    <Form onSubmit={() => task.run(async () => {
      const found = await call('reveal', passphrase, of)
      setPassphrase('')
      setSecret(found)
    })}>
      <Passphrase label="Passphrase" value={passphrase} onChange={setPassphrase} focus />
      <Problem error={task.error} />
      <p className="actions"><button type="submit" className="primary" disabled={task.busy}>{task.busy ? 'Opening…' : `Show ${name}`}</button></p>
    </Form>
  )
}

export function Phrase() {
  return (
    <>
      <Title back="#/settings">The phrase</Title>
      <p>These words make all accounts of the wallet but the imported ones. Look around first: nobody should see them.</p>
      <Reveal of="phrase" name="the phrase" />
    </>
  )
}

export function ChangePassphrase() {
  const [old, setOld] = useState('')
  const [next, setNext] = useState('')
  const [again, setAgain] = useState('')
  const [tried, setTried] = useState(false)
  const [done, setDone] = useState(false)
  const task = useTask()
  const short = [...next].length < 8 ? '8 characters at least.' : undefined
  const differs = next !== again ? 'It is not the same as above.' : undefined
  const go = () => {
    setTried(true)
    if (!short && !differs) task.run(async () => {
      await call('changePassphrase', old, next)
      setDone(true)
    })
  }
  return (
    <>
      <Title back="#/settings">Change the passphrase</Title>
      {done ? <Notice kind="good">The new passphrase holds. The old one opens nothing more.</Notice> : (
        <Form onSubmit={go}>
          <Passphrase label="Passphrase until now" value={old} onChange={setOld} focus />
          <Passphrase label="New passphrase" value={next} onChange={setNext} error={tried ? short : undefined} fresh />
          <Passphrase label="The same again" value={again} onChange={setAgain} error={tried ? differs : undefined} fresh />
          <Problem error={task.error} />
          <p className="actions"><button type="submit" className="primary" disabled={task.busy}>{task.busy ? 'Encrypting…' : 'Change it'}</button></p>
        </Form>
      )}
    </>
  )
}
