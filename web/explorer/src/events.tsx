import { Ago, Amount, At, Badge, count, Id, Link, type Event, type Value } from '@aitbc/shared'
import type { ReactNode } from 'react'

// Names of values that are amounts, times and numbers of things. What is not
// here is shown as it is.
const amounts = new Set(['amount', 'deposit', 'debited', 'refunded', 'fee', 'fees', 'credited', 'paid', 'fromBond', 'price', 'bond', 'toClient', 'toMiner', 'stake', 'bonded', 'unbonding', 'issued', 'toStakers', 'toTreasury', 'maxFee', 'limit', 'value'])
const times = new Set(['expiry', 'dueAt', 'acceptBy', 'deadline', 'effectiveAt', 'until', 'unbondAt', 'oldValidUntil', 'voteStart', 'voteEnd', 'etaSeconds'])
const linked: Record<string, string> = { session: '/session/', job: '/direct/', receipt: '/job/' }

/** A value of a call or an event. */
export function ShowValue({ name, value }: { name: string; value: Value | number }): ReactNode {
  if (value === null) return '–'
  if (typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((v, i) => <div key={i}><ShowValue name={name} value={v} /></div>)
  if (typeof value === 'object') {
    if (typeof value['bytes'] === 'number') return <>{count(value['bytes'])} bytes, <small>keccak</small> <Id of={String(value['keccak'])} /></>
    return <Args of={value} />
  }
  if (/^0x[0-9a-fA-F]{40}$/.test(value)) return <Id of={value} to={`/address/${value}`} />
  if (/^0x[0-9a-f]{64}$/.test(value)) return <Id of={value} to={linked[name] ? linked[name] + value : undefined} />
  if (linked[name] && /^\d+$/.test(value)) return <Link href={linked[name] + value}>{value}</Link>
  if (amounts.has(name) && /^\d+$/.test(value)) return <Amount of={value} />
  if (times.has(name) && /^\d{1,12}$/.test(value)) return <At seconds={Number(value)} />
  return value === '' ? <small>empty</small> : value
}

/** Values by name; of a stranger's contract none is an amount of coins. */
export function Args({ of, strange }: { of: Record<string, Value | number>; strange?: boolean }) {
  return (
    <dl className="args">
      {Object.entries(of).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd><ShowValue name={strange ? '' : name} value={value} /></dd>
        </div>
      ))}
    </dl>
  )
}

/** Events, each with its values. */
export function Events({ list, placed }: { list: Event[]; placed?: boolean }) {
  return (
    <>
      {list.map((e) => (
        <div className="event" key={`${e.height}.${e.seq}`}>
          <p>
            <b>{e.contract}.{e.name || 'unknown event'}</b>
            {e.call && <Badge kind="plain">by the node: {e.call}</Badge>}
            {placed && <small>{e.tx ? <Link href={`/tx/${e.tx}`}>transaction</Link> : <Link href={`/block/${e.height}`}>block {count(e.height)}</Link>}, <Ago at={e.time} /></small>}
          </p>
          <Args of={e.args} strange={e.contract.startsWith('ERC-')} />
        </div>
      ))}
    </>
  )
}
