// Functions that only read, called through this page's own server.
import { Failure, Waiting } from '@aitbc/shared'
import { reader } from '@aitbc/shared/wallet/chain'
import { trouble } from '@aitbc/shared/wallet/trouble'
import { useQuery } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import type { Abi, AbiFunction } from 'viem'
import { refusal, type Interface } from './abi.js'
import { Inputs, useFields } from './fields.js'
import { Values } from './show.js'
import { signature } from './values.js'

const key = (v: unknown): string => JSON.stringify(v, (_, x: unknown) => (typeof x === 'bigint' ? `${x}n` : x))

export function Reads({ of, at }: { of: Interface; at: `0x${string}` }) {
  if (of.reads.length === 0) return <p className="empty">The contract has no function that only reads.</p>
  return <>{of.reads.map((f) => <Read key={signature(f)} f={f} of={of} at={at} />)}</>
}

function Read({ f, of, at }: { f: AbiFunction; of: Interface; at: `0x${string}` }) {
  const [open, setOpen] = useState(false)
  return (
    <details className="function" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{f.name} <small>{f.inputs.length === 0 ? '' : signature(f).slice(f.name.length)}</small></summary>
      {open && <Called f={f} of={of} at={at} />}
    </details>
  )
}

function Called({ f, of, at }: { f: AbiFunction; of: Interface; at: `0x${string}` }) {
  const fields = useFields(f.inputs)
  const [args, setArgs] = useState<unknown[] | undefined>(f.inputs.length === 0 ? [] : undefined)
  const answer = useQuery({
    queryKey: ['read', at, signature(f), key(args)],
    queryFn: () => reader.readContract({ address: at, abi: [f, ...of.words] as Abi, functionName: f.name, args }),
    enabled: args !== undefined,
    retry: false,
    staleTime: 0,
  })
  const { values } = fields.read()
  const ask = (e: FormEvent) => {
    e.preventDefault()
    if (!values) return
    if (key(values) === key(args)) void answer.refetch()
    else setArgs(values)
  }
  return (
    <>
      <form className="ask" onSubmit={ask}>
        <Inputs of={f.inputs} fields={fields} />
        <button type="submit" disabled={!values || answer.isFetching}>{f.inputs.length === 0 ? 'Ask again' : 'Ask'}</button>
      </form>
      <div role="status">
        {args !== undefined && (answer.isFetching && !answer.data ? <Waiting /> : answer.error ? <Why error={answer.error} retry={() => void answer.refetch()} /> : (
          f.outputs.length === 0 ? <p className="empty">It answers nothing, and does not refuse.</p> : <Values of={f.outputs} values={f.outputs.length === 1 ? [answer.data] : (answer.data as unknown as unknown[])} />
        ))}
      </div>
    </>
  )
}

function Why({ error, retry }: { error: Error; retry: () => void }) {
  const why = refusal(error)
  if (why) return <div className="notice bad" role="alert"><p><b>The contract refused.</b> {why}</p></div>
  return <Failure error={new Error(trouble(error).text)} retry={retry} />
}
