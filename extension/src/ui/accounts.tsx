// The accounts: more of them, other names, keys.
import { useState } from 'react'
import type { Account } from '../vault/vault.js'
import type { Source } from '../worker/commands.js'
import { call, useTask } from './call.js'
import { Copy, Field, Form, Notice, Problem, Title, useWallet } from './parts.js'
import { Reveal } from './settings.js'
import { emptySource, SourceFields } from './source.js'

export function Accounts() {
  const { status } = useWallet()
  const task = useTask()
  return (
    <>
      <Title back="#/settings">Accounts</Title>
      <ul className="menu">
        {status.accounts.map((a) => (
          <li key={a.address}>
            <a href={`#/settings/accounts/${a.address}`}>
              <span>{a.name}{a.index === null && <> <span className="badge plain">imported</span></>}<br /><small className="id">{a.address.slice(0, 10)}…{a.address.slice(-8)}</small></span>
              {a.address === status.account?.address && <span className="badge good">in use</span>}
            </a>
          </li>
        ))}
      </ul>
      <Problem error={task.error} />
      <p className="actions column">
        {status.hasPhrase && <button type="button" disabled={task.busy} onClick={() => task.run(() => call('addAccount'))}>One more of the phrase</button>}
        <a className="button" href="#/settings/import">Import a key{status.hasPhrase ? '' : ' or a phrase'}</a>
      </p>
    </>
  )
}

export function ImportMore() {
  const { status } = useWallet()
  const kinds: Source['kind'][] = status.hasPhrase ? ['hex', 'file'] : ['phrase', 'hex', 'file']
  const [source, setSource] = useState<Source>(emptySource(kinds[0]!))
  const task = useTask()
  return (
    <>
      <Title back="#/settings/accounts">Import</Title>
      {source.kind !== 'phrase' && <Notice>The phrase of this wallet does not bring an imported key back. Keep the key.</Notice>}
      <Form onSubmit={() => task.run(async () => {
        await call('importMore', source)
        window.location.hash = '#/settings/accounts'
      })}>
        <SourceFields source={source} onChange={setSource} kinds={kinds} />
        <Problem error={task.error} />
        <p className="actions"><button type="submit" className="primary" disabled={task.busy}>{task.busy ? 'Reading…' : 'Import'}</button></p>
      </Form>
    </>
  )
}

export function OneAccount({ account: a }: { account: Account }) {
  const { status } = useWallet()
  const [name, setName] = useState(a.name)
  const [leaving, setLeaving] = useState(false)
  const task = useTask()
  return (
    <>
      <Title back="#/settings/accounts">{a.name}</Title>
      <p><span className="id whole">{a.address}</span><Copy text={a.address} what="the address" /></p>
      <Form onSubmit={() => task.run(() => call('renameAccount', a.address, name))}>
        <Field label="Name" value={name} maxLength={30} onChange={(e) => setName(e.target.value)} />
        <p className="actions"><button type="submit" disabled={task.busy || name === a.name}>Rename</button></p>
      </Form>
      <Problem error={task.error} />
      <details>
        <summary>Show the private key</summary>
        <Reveal of={a.address} name="the private key" />
      </details>
      {status.accounts.length > 1 && (
        <details open={leaving} onToggle={(e) => setLeaving(e.currentTarget.open)}>
          <summary>Remove the account</summary>
          <Notice kind={a.index === null ? 'bad' : 'warn'}>{a.index === null ? 'Its key is deleted. Without a copy its coins are lost.' : 'The phrase brings it back; its coins stay where they are.'}</Notice>
          <p className="actions"><button type="button" className="danger" disabled={task.busy} onClick={() => task.run(async () => {
            await call('removeAccount', a.address)
            window.location.hash = '#/settings/accounts'
          })}>Remove {a.name}</button></p>
        </details>
      )}
    </>
  )
}
