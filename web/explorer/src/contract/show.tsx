// Values that a contract answered, exact and as text.
import { Id } from '@aitbc/shared'
import type { ReactNode } from 'react'
import type { AbiParameter } from 'viem'
import { components, itemOf, nameOf, partsOf, typeOf } from './values.js'

/** A value of a type. */
export function Shown({ of, value }: { of: AbiParameter; value: unknown }): ReactNode {
  const array = itemOf(of)
  if (array) {
    const items = value as unknown[]
    if (items.length === 0) return <small>an empty list</small>
    return <ol className="items" start={0}>{items.map((v, i) => <li key={i}><Shown of={array.item} value={v} /></li>)}</ol>
  }
  if (of.type === 'tuple') {
    const parts = partsOf(of, value)
    return <Values of={components(of)} values={parts} />
  }
  const text = String(value)
  if (of.type === 'address') return <Id of={text} to={`/address/${text.toLowerCase()}`} />
  if (of.type === 'string') return text === '' ? <small>empty</small> : <span className="words">{text}</span>
  return <span className="num exact">{text}</span>
}

/** Values by the names of what they are of. */
export function Values({ of, values }: { of: readonly AbiParameter[]; values: unknown[] }) {
  return (
    <dl className="args">
      {of.map((p, i) => (
        <div key={i}>
          <dt>{p.name || of.length > 1 ? nameOf(p, i) : ''} <small>{typeOf(p)}</small></dt>
          <dd><Shown of={p} value={values[i]} /></dd>
        </div>
      ))}
    </dl>
  )
}
