// The contract at an address. It comes when such an address is opened.
import { Answer, Section, useAsk, type ContractDetail } from '@aitbc/shared'
import { useState } from 'react'
import { interfaceOf } from './abi.js'
import { Reads } from './read.js'
import { Source } from './source.js'
import { Verify } from './verify.js'
import { Writes } from './write.js'
import './style.css'

const tabs = ['Code', 'Read', 'Write', 'Verify'] as const
type Tab = (typeof tabs)[number]

export default function Contract({ of }: { of: string }) {
  const answer = useAsk<ContractDetail>(`/api/contracts/${of}`)
  return <Section title="Contract"><Answer of={answer}>{(c) => <Opened of={c} />}</Answer></Section>
}

function Opened({ of: c }: { of: ContractDetail }) {
  const asked = new URLSearchParams(window.location.search).get('contract')
  const shown = tabs.filter((t) => (t === 'Verify' ? c.match === '' || c.match === 'partial' : true))
  const [tab, setTab] = useState<Tab>(shown.find((t) => t.toLowerCase() === asked) ?? 'Code')
  const current = shown.includes(tab) ? tab : 'Code'
  const turn = (to: Tab) => {
    setTab(to)
    const next = new URL(window.location.href) // so that it can be sent on
    next.searchParams.set('contract', to.toLowerCase())
    window.history.replaceState(null, '', next)
  }
  const known = interfaceOf(c)
  const at = c.address.toLowerCase() as `0x${string}`
  return (
    <>
      <div className="tabs" role="group" aria-label="Parts of the contract">
        {shown.map((t) => <button key={t} type="button" aria-pressed={t === current} onClick={() => turn(t)}>{t}</button>)}
      </div>
      {current === 'Code' && <Source of={c} />}
      {current === 'Verify' && <Verify at={at} done={() => turn('Code')} />}
      {(current === 'Read' || current === 'Write') && (
        known ? (
          <>
            {c.implementation?.abi && <p><small>Calls go to this address, which hands them on to {c.implementation.name || 'its implementation'}.</small></p>}
            {current === 'Read' ? <Reads of={known} at={at} /> : <Writes of={known} at={at} />}
          </>
        ) : <p className="empty">What can be called is not known: whoever has the source can show it under Verify.</p>
      )}
    </>
  )
}
