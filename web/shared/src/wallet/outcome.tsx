import type { Act } from './act.js'
import { Wrong } from './gate.js'

/** How the last transaction went. */
export function Outcome({ of }: { of: Act }) {
  return (
    <>
      {of.wrong && <Wrong of={of.wrong} close={of.close} />}
      <div role="status">{of.busy !== '' ? <p className="notice">Your wallet asks; then the next block takes it…</p> : of.done !== '' && <p className="notice good">✓ {of.done}</p>}</div>
    </>
  )
}
