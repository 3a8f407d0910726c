// The networks: which there are, and what they consist of.
import { useState } from 'react'
import type { Network } from '../chain/network.js'
import type { NetworkForm } from '../worker/commands.js'
import { allow } from './allow.js'
import { call, useLoad, useTask } from './call.js'
import { Field, Form, Notice, Problem, Title, useWallet } from './parts.js'

export function Networks() {
  const { status } = useWallet()
  const task = useTask()
  return (
    <>
      <Title back="#/settings">Networks</Title>
      <fieldset className="choice list">
        <legend>In use</legend>
        {status.networks.map((n) => (
          <label key={n.id}>
            <input type="radio" name="network" checked={n.id === status.network.id} onChange={() => task.run(() => call('useNetwork', n.id))} />
            <span>{n.name}<br /><small>{n.chainId === null ? 'not asked yet' : `chain ${n.chainId}`}</small></span>
            <a className="plain edit" href={`#/settings/networks/${n.id}`} aria-label={`Change ${n.name}`}>Change</a>
          </label>
        ))}
      </fieldset>
      <Problem error={task.error} />
      <p className="actions"><a className="button" href="#/settings/networks/new">Add a network</a></p>
    </>
  )
}

const fields: { name: keyof NetworkForm; label: string; hint?: string }[] = [
  { name: 'name', label: 'Name' },
  { name: 'rpc', label: 'Node (Ethereum JSON-RPC)', hint: 'https, or http of this machine.' },
  { name: 'explorer', label: 'Explorer', hint: 'For the history of accounts; may stay empty.' },
  { name: 'coordinator', label: 'Coordinator', hint: 'So that a deposit says to whom it goes; may stay empty.' },
  { name: 'marketplace', label: 'Marketplace', hint: 'On a test network it gives an empty account its first coins; may stay empty.' },
]

export function OneNetwork({ network }: { network: Network | null }) {
  const { status } = useWallet()
  const [form, setForm] = useState({ name: network?.name ?? '', rpc: network?.rpc ?? '', explorer: network?.explorer ?? '', coordinator: network?.coordinator ?? '', marketplace: network?.marketplace ?? '' })
  const task = useTask()
  const save = () =>
    task.run(async () => {
      await allow([form.rpc, form.explorer, form.coordinator, form.marketplace])
      await call('saveNetwork', network?.id ?? null, form)
      window.location.hash = '#/settings/networks'
    })
  return (
    <>
      <Title back="#/settings/networks">{network ? network.name : 'Add a network'}</Title>
      {!network && <p>The node has to be of an AITBC network: the wallet looks for its Market before it goes on.</p>}
      <Form onSubmit={save}>
        {fields.map((f) => <Field key={f.name} label={f.label} hint={f.hint} value={form[f.name]} onChange={(e) => setForm({ ...form, [f.name]: e.target.value })} autoComplete="off" spellCheck={false} required={f.name === 'rpc'} />)}
        <Problem error={task.error} />
        <p className="actions">
          {network && status.networks.length > 1 && <button type="button" className="danger" disabled={task.busy} onClick={() => task.run(async () => {
            await call('removeNetwork', network.id)
            window.location.hash = '#/settings/networks'
          })}>Remove</button>}
          <button type="submit" className="primary" disabled={task.busy}>{task.busy ? 'Asking the node…' : 'Save'}</button>
        </p>
      </Form>
    </>
  )
}

export function Sites() {
  const { status } = useWallet()
  const sites = useLoad(() => call('sites'), [])
  const task = useTask()
  const name = (address: string) => status.accounts.find((a) => a.address === address)?.name ?? 'an account that is gone'
  return (
    <>
      <Title back="#/settings">Connected sites</Title>
      <Problem error={sites.error ?? task.error} />
      {sites.value?.length === 0 && <p className="empty">No site is connected. A site that wants to be asks, and you choose what it sees.</p>}
      <ul className="entries">
        {sites.value?.map((s) => (
          <li key={s.origin} className="site">
            <span><strong><bdi>{s.origin}</bdi></strong><br /><small>sees {s.accounts.map(name).join(', ')}, since {new Date(s.at).toLocaleDateString()}</small></span>
            <button type="button" disabled={task.busy} aria-label={`Disconnect ${s.origin}`} onClick={() => task.run(() => call('revoke', s.origin))}>Disconnect</button>
          </li>
        ))}
      </ul>
      {sites.value && sites.value.length > 0 && <Notice>A site that is disconnected keeps what it saw. What was signed for it stays signed.</Notice>}
    </>
  )
}
