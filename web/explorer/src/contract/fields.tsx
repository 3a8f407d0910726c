// The fields of a function's inputs.
import { useId, useState } from 'react'
import type { AbiParameter } from 'viem'
import { hint, nameOf, parse, typeOf } from './values.js'

export interface Fields {
  texts: string[]
  set: (i: number, text: string) => void
  /** The values, once every field has one; an Error of a field that was written in. */
  read: () => { values?: unknown[]; wrong: (string | null)[] }
}

/** What is written in the fields of a function's inputs. */
export function useFields(inputs: readonly AbiParameter[]): Fields {
  const [texts, setTexts] = useState(() => inputs.map(() => ''))
  const read = () => {
    const wrong: (string | null)[] = []
    const values = inputs.map((p, i) => {
      try {
        wrong.push(null)
        return parse(p, texts[i]!)
      } catch (e) {
        wrong[i] = (e as Error).message
        return undefined
      }
    })
    return wrong.every((w) => w === null) ? { values, wrong } : { wrong }
  }
  return { texts, set: (i, text) => setTexts(texts.map((t, k) => (k === i ? text : t))), read }
}

/** One field for each input, with what is wrong under it. */
export function Inputs({ of, fields }: { of: readonly AbiParameter[]; fields: Fields }) {
  const id = useId()
  const { wrong } = fields.read()
  return (
    <>
      {of.map((p, i) => {
        const bad = fields.texts[i] !== '' && wrong[i]
        return (
          <label key={i}>
            <span>{nameOf(p, i)} <small>{typeOf(p)}</small></span>
            <input value={fields.texts[i]} placeholder={hint(p)} spellCheck={false} autoComplete="off" aria-invalid={bad ? true : undefined} aria-describedby={bad ? `${id}-${i}` : undefined} onChange={(e) => fields.set(i, e.target.value)} />
            {bad && <span className="wrong" id={`${id}-${i}`}>{bad}</span>}
          </label>
        )
      })}
    </>
  )
}
