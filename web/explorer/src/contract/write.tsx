// Functions that change something, sent by a wallet in the browser.
import { count, Id, Link, units } from '@aitbc/shared'
import { WalletButton } from '@aitbc/shared/wallet/button'
import { included } from '@aitbc/shared/wallet/chain'
import { Gate, Wrong } from '@aitbc/shared/wallet/gate'
import { trouble, type Trouble } from '@aitbc/shared/wallet/trouble'
import { listen } from '@aitbc/shared/wallet/wallets'
import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { parseEventLogs, type Abi, type AbiEvent, type AbiFunction, type AbiParameter, type TransactionReceipt } from 'viem'
import { refusal, type Interface } from './abi.js'
import { Inputs, useFields } from './fields.js'
import { Values } from './show.js'
import { signature } from './values.js'

listen() // wallets that this browser has announce themselves

export function Writes({ of, at }: { of: Interface; at: `0x${string}` }) {
  if (of.writes.length === 0) return <p className="empty">The contract has no function that changes anything.</p>
  return (
    <>
      <p><WalletButton quiet /></p>
      <Gate why="It signs and sends what you call, after it has asked you.">
        {() => of.writes.map((f) => <Write key={signature(f)} f={f} of={of} at={at} />)}
      </Gate>
    </>
  )
}

function Write({ f, of, at }: { f: AbiFunction; of: Interface; at: `0x${string}` }) {
  const queries = useQueryClient()
  const fields = useFields(f.inputs)
  const [coins, setCoins] = useState('')
  const [busy, setBusy] = useState(false)
  const [done, setDone] = useState<TransactionReceipt>()
  const [wrong, setWrong] = useState<Trouble>()
  const payable = f.stateMutability === 'payable'
  const value = payable ? (coins.trim() === '' ? 0n : units(coins)) : 0n
  const { values } = fields.read()
  const send = async (e: FormEvent) => {
    e.preventDefault()
    if (!values || value === null || busy) return
    setBusy(true)
    setDone(undefined)
    setWrong(undefined)
    try {
      setDone(await included({ address: at, abi: [f, ...of.words] as Abi, functionName: f.name, args: values, ...(payable ? { value } : {}) }))
      await queries.invalidateQueries()
    } catch (cause) {
      const why = refusal(cause)
      setWrong(why ? { title: 'The contract refused', text: `${why}. Nothing was sent.`, again: false } : trouble(cause))
    }
    setBusy(false)
  }
  return (
    <details className="function">
      <summary>{f.name} <small>{f.inputs.length === 0 ? '' : signature(f).slice(f.name.length)}{payable ? ' takes coins' : ''}</small></summary>
      <form className="ask" onSubmit={(e) => void send(e)}>
        <Inputs of={f.inputs} fields={fields} />
        {payable && <label><span>Coins to send with it, in AITBC</span><input inputMode="decimal" value={coins} placeholder="0" aria-invalid={value === null ? true : undefined} onChange={(e) => setCoins(e.target.value)} /></label>}
        <button type="submit" className="primary" disabled={!values || value === null || busy}>{busy ? 'Your wallet asks…' : 'Send'}</button>
      </form>
      {wrong && <Wrong of={wrong} close={() => setWrong(undefined)} />}
      <div role="status">{busy ? <p className="notice">Your wallet asks; then the next block takes it…</p> : done && <Done receipt={done} of={of} />}</div>
    </details>
  )
}

function Done({ receipt, of }: { receipt: TransactionReceipt; of: Interface }) {
  const said = parseEventLogs({ abi: of.words.filter((x): x is AbiEvent => x.type === 'event'), logs: receipt.logs, strict: true })
  return (
    <div className="notice done">
      <p><b>✓ Done</b> in block <Link href={`/block/${receipt.blockNumber}`}>{count(String(receipt.blockNumber))}</Link>: <Id of={receipt.transactionHash} to={`/tx/${receipt.transactionHash}`} /></p>
      {said.map((e, i) => {
        const inputs = (of.words.find((x) => x.type === 'event' && x.name === e.eventName)?.inputs ?? []) as readonly AbiParameter[]
        const args = e.args as unknown
        const values = Array.isArray(args) ? (args as unknown[]) : inputs.map((p) => (args as Record<string, unknown>)[p.name ?? ''])
        return (
          <div className="event" key={i}>
            <p><b>{e.eventName}</b></p>
            <Values of={inputs.map(plainIndexed)} values={values} />
          </div>
        )
      })}
    </div>
  )
}

// An indexed value of any length is in a log only as its hash.
const plainIndexed = (p: AbiParameter): AbiParameter =>
  'indexed' in p && p.indexed && (/\[|^tuple/.test(p.type) || p.type === 'string' || p.type === 'bytes') ? { name: p.name, type: 'bytes32' } : p
