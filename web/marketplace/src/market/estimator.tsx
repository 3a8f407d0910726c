import { Amount, Answer, Id, Link, Section, Table, useAsk, useLocation } from '@aitbc/shared'
import type { Miners } from '../types.js'
import { estimate, wishOf, wishURL, type Wish } from './estimate.js'
import { rowsOf } from './offers.js'
import { minerPath, ModelName } from './parts.js'
import { replace } from './url.js'

const fields: [keyof Wish, string][] = [['jobs', 'Jobs'], ['prompt', 'Tokens read, each'], ['completion', 'Tokens written, each'], ['seconds', 'Seconds of computing, each'], ['items', 'Items, each']]

export function Estimator() {
  const url = useLocation()
  const w = wishOf(url.searchParams)
  const only = url.searchParams.get('model') ?? ''
  const miners = useAsk<Miners>('/coordinator/v1/miners', 15_000)
  const show = (next: Wish, model: string) => {
    const p = new URLSearchParams(wishURL(next))
    if (model) p.set('model', model)
    replace(`/estimate${p.size > 0 ? `?${p}` : ''}`)
  }
  const set = (name: keyof Wish, text: string) => {
    const digits = text.replace(/\D/g, '').slice(0, 15)
    show({ ...w, [name]: digits === '' ? 0n : BigInt(digits) }, only)
  }
  return (
    <>
      <h1>What would it cost?</h1>
      <Answer of={miners}>
        {(m) => {
          const all = rowsOf(m.miners)
          const models = [...new Set(all.map((r) => r.offer.model))].sort()
          const rows = all.filter((r) => only === '' || r.offer.model === only).map((r) => ({ ...r, cost: estimate(r.offer, w) }))
          rows.sort((a, b) => (a.cost.all < b.cost.all ? -1 : a.cost.all > b.cost.all ? 1 : a.key < b.key ? -1 : 1))
          const best = rows[0]
          return (
            <>
              <Section title="The work">
                <form className="ask filters" onSubmit={(e) => e.preventDefault()}>
                  <label>Model<select value={only} onChange={(e) => show(w, e.target.value)}><option value="">any</option>{(models.includes(only) || !only ? models : [...models, only]).map((n) => <option key={n}>{n}</option>)}</select></label>
                  {fields.map(([name, text]) => <label key={name}>{text}<input inputMode="numeric" value={String(w[name])} onChange={(e) => set(name, e.target.value)} /></label>)}
                </form>
                <p><small>A token is about four characters of English. Seconds count where a machine has a price by the second, items where it has one for each text or run.</small></p>
              </Section>
              {best && (
                <dl className="figures" aria-live="polite">
                  <div><dt>The cheapest takes for all of it</dt><dd><Amount of={String(best.cost.all)} /></dd></div>
                  <div><dt>For one job</dt><dd><Amount of={String(best.cost.job)} /></dd></div>
                </dl>
              )}
              <Section title="By offer">
                {rows.length === 0 ? <p className="empty">Nobody offers that now.</p> : (
                  <Table cards name="Costs by offer" rows={rows} id={(r) => r.key} columns={[
                    { name: 'Model', of: (r) => <ModelName of={r.offer} /> },
                    { name: 'Miner', of: (r) => <Id of={r.miner.miner} to={minerPath(r.miner.miner)} /> },
                    { name: 'One job', right: true, of: (r) => <Amount of={String(r.cost.job)} /> },
                    { name: 'All', right: true, of: (r) => <b><Amount of={String(r.cost.all)} /></b> },
                  ]} />
                )}
                <p><small>Exact for these counts, and rounded up to the unit of 10⁻¹⁸ AITBC once for each job, as the contract does. The network’s fee is inside. What a job really uses, its receipt says; <Link href="/">offers</Link> change.</small></p>
              </Section>
            </>
          )
        }}
      </Answer>
    </>
  )
}
