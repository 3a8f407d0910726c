// A receipt, checked in this page.
import { Amount, Badge, count, Facts, Failure, Id, Section, utc, Waiting } from '@aitbc/shared'
import { check, parse, word, type Bundle, type Checked, type Verdict } from '@aitbc/shared/receipt'
import { useEffect, useState, type ChangeEvent } from 'react'
import type { Hex } from 'viem'
import { levels } from '../types.js'
import { chainId } from '@aitbc/shared/wallet/chain'
import { bundleOf, type Held } from './live.js'

function save(bundle: Bundle): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(bundle, null, 2)], { type: 'application/json' }))
  const a = document.createElement('a')
  a.href = url
  a.download = `receipt-${bundle.receipt_id.slice(2, 14)}.json`
  a.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

/** The receipt of a turn: fetched when it is wanted, and again until it is settled. */
export function TurnReceipt({ held, job }: { held: Held; job: Hex }) {
  const [open, setOpen] = useState(false)
  const [checked, setChecked] = useState<Checked>()
  const [error, setError] = useState<Error>()
  useEffect(() => {
    if (!open) return
    let gone = false
    let timer: ReturnType<typeof setTimeout>
    const look = async () => {
      try {
        const bundle = (await bundleOf(held.kept, job)) as unknown as Bundle
        const c = await check(bundle, await chainId(), '/explorer')
        if (gone) return
        setChecked(c)
        setError(undefined)
        // Until it is settled; and where it is, the explorer may be a moment behind.
        if (!c.settled?.ok) timer = setTimeout(() => void look(), 2_000)
      } catch (e) {
        if (!gone) setError(e instanceof Error ? e : new Error(String(e)))
      }
    }
    void look()
    return () => {
      gone = true
      clearTimeout(timer)
    }
  }, [open, held.kept.spender, job])
  return (
    <details className="receipt" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>Check the receipt</summary>
      {error && <Failure error={error} />}
      {open && !checked && !error && <Waiting />}
      {checked && <Whole of={checked} />}
      {checked && <div className="actions"><button type="button" onClick={() => save(checked.bundle)}>Download the receipt</button></div>}
    </details>
  )
}

/** Checks a receipt of a file. */
export default function Verify() {
  const [error, setError] = useState<Error>()
  const [checked, setChecked] = useState<Checked>()
  const [busy, setBusy] = useState(false)
  const open = async (e: ChangeEvent<HTMLInputElement>) => {
    const file = e.target.files?.[0]
    if (!file) return
    setBusy(true)
    setError(undefined)
    setChecked(undefined)
    try {
      setChecked(await check(parse(await file.text()), await chainId(), '/explorer'))
    } catch (x) {
      setError(new Error(x instanceof SyntaxError ? 'This file holds no receipt.' : word(x)))
    }
    setBusy(false)
  }
  return (
    <>
      <h1>Check a receipt</h1>
      <Section title="A receipt of a file">
        <form className="ask"><label>As this page or <code>aitbc receipts --json</code> writes it: it stays in this browser<input type="file" accept=".json,application/json" onChange={(e) => void open(e)} /></label></form>
      </Section>
      {error && <Failure error={error} />}
      {busy && <Waiting />}
      {checked && <Section title="What it says"><Whole of={checked} /></Section>}
    </>
  )
}

function Verdicts({ name, of }: { name: string; of: Verdict | null }) {
  if (!of) return <p className="verdict"><Badge kind="warn">not settled yet</Badge> {name}: it waits for the coordinator’s next settlement.</p>
  return <p className={of.ok ? 'verdict good' : 'verdict bad'} data-ok={of.ok}>{of.ok ? <Badge kind="good">✓ holds</Badge> : <Badge kind="bad">✗ does not hold</Badge>} {name}: {of.text}</p>
}

function Whole({ of: { bundle: b, signed, settled, block } }: { of: Checked }) {
  const r = b.receipt
  return (
    <div className="checked" role="status" data-signed={signed.ok} data-settled={settled?.ok ?? 'waiting'}>
      <Verdicts name="Signatures and price" of={signed} />
      <Verdicts name="Settlement" of={settled} />
      <Facts list={[
        ['Job', <Id of={r.order} whole />],
        ['Receipt', <Id of={b.receipt_id} whole />],
        ['Model', <Id of={r.model} whole />],
        ['Class', <bdi>{b.class}</bdi>],
        ['Miner', <Id of={r.miner} whole />],
        ['Ran', <>{utc(new Date(r.startedAt))}, for {count(r.finishedAt - r.startedAt)} ms</>],
        ['Tokens', `${count(r.promptTokens)} read, ${count(r.completionTokens)} written`],
        ['Price', <Amount of={r.price} />],
        ['Level', `L${r.level}: ${levels[r.level] ?? 'unknown'}`],
        ['Block', block ? count(block.height) : 'none yet'],
      ]} />
      <p><small>What the chain says is this server’s word. <b>aitbc verify</b> checks the same file against the genesis alone.</small></p>
    </div>
  )
}
