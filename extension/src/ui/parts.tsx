// The parts that pages are made of.
import { createContext, useContext, useEffect, useId, useState, type FormEvent, type InputHTMLAttributes, type ReactNode } from 'react'
import { coins as coinsShared } from '../../../web/shared/src/format.js'
import { printable, short } from '../intent/text.js'
import type { Status } from '../worker/commands.js'

/** What every page knows: how the wallet stands, and names of addresses. */
export const Wallet = createContext<{ status: Status; labels: Record<string, string> } | null>(null)

export function useWallet() {
  const w = useContext(Wallet)
  if (!w) throw new Error('no wallet above this part')
  return w
}

/** A stranger's text: no markup, and it cannot turn the text around it. */
export function Foreign({ text }: { text: string }) {
  return <bdi className="foreign">{printable(text)}</bdi>
}

export function Amount({ of, sign = '' }: { of: string; sign?: string }) {
  return (
    <span className="num">
      {sign}
      {coinsShared(of)} <small>AITBC</small>
    </span>
  )
}

/** An amount at a glance: six places, and the exact one beneath where that is less than all. */
export function Glance({ of }: { of: string }) {
  const exact = coinsShared(of)
  const brief = exact.replace(/(\.\d{6})\d+$/, '$1…')
  return (
    <>
      <span className="num">
        {brief} <small>AITBC</small>
      </span>
      {brief !== exact && <span className="num exact">{exact}</span>}
    </>
  )
}

/** An address or a hash, with the name that it goes by here. */
export function Id({ of }: { of: string }) {
  const { labels } = useWallet()
  const name = labels[of]
  return (
    <>
      {name && <span className="label">{name}</span>}
      <span className="keep">
        <span className="id" title={of}>{short(of, 6)}</span>
        <Copy text={of} />
      </span>
    </>
  )
}

export function Copy({ text, what }: { text: string; what?: string }) {
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  const copy = () => void navigator.clipboard.writeText(text).then(() => setDone(true), () => setDone(false))
  return (
    <button type="button" className="copy" onClick={copy} aria-label={done ? 'Copied' : `Copy ${what ?? short(text)}`} title="Copy">
      {done ? '✓' : <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true"><path d="M5.5 5.5h8v8h-8zM2.5 10.5v-8h8" fill="none" stroke="currentColor" strokeWidth="1.5" /></svg>}
    </button>
  )
}

/** Bars where text will be. */
export function Waiting({ of = 'Loading' }: { of?: string }) {
  return (
    <div className="waiting" role="status" aria-label={of}>
      <i />
      <i />
      <i />
    </div>
  )
}

export function Notice({ kind, children, action }: { kind?: 'bad' | 'good' | 'warn'; children: ReactNode; action?: ReactNode }) {
  return (
    <div className={kind ? `notice ${kind}` : 'notice'} role={kind === 'bad' ? 'alert' : 'status'}>
      <div>{children}</div>
      {action}
    </div>
  )
}

export function Problem({ error }: { error: Error | undefined }) {
  return error ? <Notice kind="bad">{error.message}</Notice> : null
}

/** A labelled input, with what it wants beneath. */
export function Field({ label, hint, error, ...input }: { label: string; hint?: string; error?: string } & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId()
  const beneath = error ?? hint
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} {...input} aria-invalid={error ? true : undefined} aria-describedby={beneath ? `${id}-hint` : undefined} />
      {beneath && <p id={`${id}-hint`} className={error ? 'hint bad' : 'hint'}>{beneath}</p>}
    </div>
  )
}

/** A passphrase that can be looked at. */
export function Passphrase({ label, value, onChange, hint, error, fresh, focus }: { label: string; value: string; onChange: (v: string) => void; hint?: string; error?: string; fresh?: boolean; focus?: boolean }) {
  const [open, setOpen] = useState(false)
  return (
    <div className="secret">
      <Field label={label} hint={hint} error={error} type={open ? 'text' : 'password'} value={value} onChange={(e) => onChange(e.target.value)} autoComplete={fresh ? 'new-password' : 'current-password'} spellCheck={false} autoFocus={focus} required />
      <button type="button" className="peek" aria-pressed={open} aria-label={`Show ${label.toLowerCase()}`} onClick={() => setOpen(!open)}>
        {open ? 'Hide' : 'Show'}
      </button>
    </div>
  )
}

/** A form that is sent by Enter too, and never by the browser. */
export function Form({ onSubmit, children }: { onSubmit: () => void; children: ReactNode }) {
  const submit = (e: FormEvent) => {
    e.preventDefault()
    onSubmit()
  }
  return <form onSubmit={submit}>{children}</form>
}

/** Names with values. */
export function Facts({ list }: { list: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {list.map(([name, value], n) => (
        <div key={`${n}${name}`}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** The title of a page, with the way back. Leave is done on that way: it may lead to the page's own address. */
export function Title({ children, back, leave }: { children: ReactNode; back?: string; leave?: () => void }) {
  return (
    <h1>
      {back && (
        <a className="back plain" href={back} onClick={leave} aria-label="Back">
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M10 2.5 4.5 8l5.5 5.5" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" /></svg>
        </a>
      )}
      {children}
    </h1>
  )
}
