// The wallet is locked.
import { useEffect, useState } from 'react'
import { call, useTask } from './call.js'
import { Form, Notice, Passphrase, Problem, useWallet } from './parts.js'

/** Seconds that are left of a wait. */
function useLeft(ms: number): number {
  const [until, setUntil] = useState(0)
  const [now, setNow] = useState(0)
  useEffect(() => {
    setUntil(Date.now() + ms)
    setNow(Date.now())
    if (ms <= 0) return
    const timer = setInterval(() => setNow(Date.now()), 250)
    return () => clearInterval(timer)
  }, [ms])
  return Math.max(0, Math.ceil((until - now) / 1000))
}

export function Unlock({ why }: { why?: string }) {
  const { status } = useWallet()
  const [passphrase, setPassphrase] = useState('')
  const [lost, setLost] = useState(false)
  const [wait, setWait] = useState(status.wait)
  const task = useTask()
  const left = useLeft(wait)
  const go = () =>
    task.run(async () => {
      try {
        await call('unlock', passphrase)
      } catch (e) {
        setPassphrase('')
        setWait((await call('status')).wait)
        throw e
      }
    })
  if (lost) return <Lost back={() => setLost(false)} />
  return (
    <>
      <div className="hero">
        <img src="icons/128.png" alt="" width="56" height="56" />
        <h1>Unlock the wallet</h1>
        {why && <p>{why}</p>}
      </div>
      <Form onSubmit={go}>
        <Passphrase label="Passphrase" value={passphrase} onChange={setPassphrase} focus />
        {left > 0 ? <Notice kind="warn">Too many wrong passphrases. Wait {left} s.</Notice> : <Problem error={task.error} />}
        <p className="actions column">
          <button type="submit" className="primary" disabled={task.busy || left > 0}>{task.busy ? 'Opening…' : 'Unlock'}</button>
          <button type="button" className="quiet" onClick={() => setLost(true)}>I have lost the passphrase</button>
        </p>
      </Form>
    </>
  )
}

function Lost({ back }: { back: () => void }) {
  const [sure, setSure] = useState(false)
  const task = useTask()
  return (
    <>
      <h1>The passphrase is lost</h1>
      <p>Nobody can open the wallet without it. You can remove the wallet from this browser and import its phrase again.</p>
      <Notice kind="bad">Without the phrase, and the keys that were imported beside it, its coins are lost for ever.</Notice>
      <p>
        <label className="check"><input type="checkbox" checked={sure} onChange={(e) => setSure(e.target.checked)} /> <span>I have the phrase, and every imported key.</span></label>
      </p>
      <Problem error={task.error} />
      <p className="actions">
        <button type="button" onClick={back}>Back</button>
        <button type="button" className="danger" disabled={!sure || task.busy} onClick={() => task.run(() => call('destroy'))}>Remove the wallet</button>
      </p>
    </>
  )
}
