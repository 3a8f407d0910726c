import { Amount, Answer, Id, Link, Section, Table, useAsk, useLocation } from '@aitbc/shared'
import type { Miners, Presence } from '../types.js'
import { choices, choose, everything, fromURL, kinds, rowsOf, sorts, toURL, type Filter, type Row, type Sort } from './offers.js'
import { Level, Machine, minerPath, ModelName, Prices, Speed, State, Uptime } from './parts.js'
import { replace } from './url.js'

const sortNames: Record<Sort, string> = {
  price: 'Price of the answer', prompt: 'Price of the prompt', speed: 'Measured speed', first: 'Time to first token', uptime: 'Uptime', reputation: 'Reputation', model: 'Model',
}
const kindNames = { all: 'Everything', chat: 'Language models', embeddings: 'Embeddings', container: 'Containers' }

export function Offers() {
  const url = useLocation()
  const f = fromURL(url.searchParams)
  const miners = useAsk<Miners>('/coordinator/v1/miners', 5_000)
  const presence = useAsk<{ miners: Presence[] }>('/api/presence', 60_000)
  const set = (next: Partial<Filter>) => replace(`/${toURL({ ...f, ...next })}`)
  return (
    <>
      <div className="lead">
        <h1>The market</h1>
        <p>Each line is a machine that runs a model now. You pay what its receipt says, at most what you signed for. <Link href="/play">Try one in the playground</Link>, or <Link href="/estimate">estimate a cost</Link>.</p>
      </div>
      <Answer of={miners}>
        {(m) => {
          const rows = rowsOf(m.miners, presence.data?.miners)
          return (
            <>
              <Summary rows={rows} />
              <Section title="Offers" aside={<span className="num">{choose(rows, f).length} of {rows.length}</span>}>
                <Filters f={f} set={set} rows={rows} />
                <List rows={choose(rows, f)} any={rows.length > 0} clear={() => replace('/')} />
              </Section>
            </>
          )
        }}
      </Answer>
    </>
  )
}

function Summary({ rows }: { rows: Row[] }) {
  if (rows.length === 0) return null
  const chat = rows.filter((r) => !r.offer.kind)
  const cheapest = chat.map((r) => BigInt(r.offer.completion_rate)).reduce<bigint | null>((a, b) => (a === null || b < a ? b : a), null)
  return (
    <dl className="figures">
      <div><dt>Models</dt><dd className="num">{new Set(chat.map((r) => r.offer.model)).size}</dd></div>
      <div><dt>Machines</dt><dd className="num">{new Set(rows.map((r) => r.miner.miner)).size}</dd></div>
      <div><dt>Free now</dt><dd className="num">{new Set(rows.filter((r) => r.miner.free_slots > 0 && r.miner.state === 'online').map((r) => r.miner.miner)).size}</dd></div>
      {cheapest !== null && <div><dt>Cheapest 10⁶ tokens</dt><dd><Amount of={String(cheapest)} /></dd></div>}
    </dl>
  )
}

function Filters({ f, set, rows }: { f: Filter; set: (next: Partial<Filter>) => void; rows: Row[] }) {
  const gpus = choices(rows, (o) => o.gpu ?? 'CPU')
  const regions = choices(rows, (o) => o.region)
  const pick = (list: string[], now: string) => (now !== '' && !list.includes(now) ? [...list, now] : list)
  return (
    <form className="ask filters" role="search" aria-label="Filter the offers" onSubmit={(e) => e.preventDefault()}>
      <label className="wide">Search<input type="search" value={f.q} maxLength={100} placeholder="model, miner, GPU…" onChange={(e) => set({ q: e.target.value })} /></label>
      <label>Kind<select value={f.kind} onChange={(e) => set({ kind: e.target.value as Filter['kind'] })}>{kinds.map((k) => <option key={k} value={k}>{kindNames[k]}</option>)}</select></label>
      <label>Machine<select value={f.gpu} onChange={(e) => set({ gpu: e.target.value })}><option value="">any</option>{pick(gpus, f.gpu).map((g) => <option key={g}>{g}</option>)}</select></label>
      <label>Region<select value={f.region} onChange={(e) => set({ region: e.target.value })}><option value="">any</option>{pick(regions, f.region).map((g) => <option key={g}>{g}</option>)}</select></label>
      <label>Price at most<input inputMode="decimal" defaultValue={f.most} key={f.most === '' ? 'none' : 'some'} placeholder="AITBC for 10⁶" onChange={(e) => set({ most: e.target.value })} /></label>
      <label>Verification<select value={f.level} onChange={(e) => set({ level: Number(e.target.value) })}>{[0, 1, 2, 3, 4, 5].map((l) => <option key={l} value={l}>{l === 0 ? 'any' : `L${l} or more`}</option>)}</select></label>
      <label className="sort">Sort by<select value={f.sort} onChange={(e) => set({ sort: e.target.value as Sort, down: e.target.value === 'speed' || e.target.value === 'uptime' || e.target.value === 'reputation' })}>{sorts.map((s) => <option key={s} value={s}>{sortNames[s]}</option>)}</select></label>
      <label className="check"><input type="checkbox" checked={f.down} onChange={(e) => set({ down: e.target.checked })} /> highest first</label>
      <label className="check"><input type="checkbox" checked={f.free} onChange={(e) => set({ free: e.target.checked })} /> free now</label>
      <label className="check"><input type="checkbox" checked={f.shown} onChange={(e) => set({ shown: e.target.checked })} /> weights shown</label>
      {toURL(f) !== toURL(everything) && <button type="button" onClick={() => set(everything)}>Clear</button>}
    </form>
  )
}

function List({ rows, any, clear }: { rows: Row[]; any: boolean; clear: () => void }) {
  if (!any) {
    return (
      <div className="notice">
        <p><b>No miner is here now.</b> Jobs that are ordered wait until one comes, or are paid back. <code>aitbc-miner start</code> makes a machine a miner.</p>
      </div>
    )
  }
  if (rows.length === 0) return <div className="notice"><p>No offer is like that.</p><button type="button" onClick={clear}>Show all</button></div>
  return (
    <Table cards name="Offers" rows={rows} id={(r) => r.key} columns={[
      { name: 'Model', of: (r) => <><ModelName of={r.offer} /><br /><small><Id of={r.miner.miner} to={minerPath(r.miner.miner)} /></small></> },
      { name: 'Machine', of: (r) => <Machine of={r.offer} /> },
      { name: '10⁶ tokens', right: true, of: (r) => <Prices of={r.offer} /> },
      { name: 'Measured', right: true, of: (r) => <Speed of={r.offer} /> },
      { name: 'Uptime', right: true, of: (r) => <Uptime of={r.presence} /> },
      { name: 'Verification', of: (r) => <Level of={r.offer} /> },
      { name: 'Now', of: (r) => <State of={r.miner} /> },
      { name: 'Try', of: (r) => (r.offer.kind ? null : <Link className="button" href={`/play?model=${encodeURIComponent(r.offer.model)}&miner=${r.miner.miner}`} aria-label={`Try ${r.offer.model} of ${r.miner.miner}`}>Try</Link>) },
    ]} />
  )
}
