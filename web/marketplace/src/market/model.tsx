import { Answer, Badge, count, Facts, Id, Link, Section, Table, useAsk, useLocation } from '@aitbc/shared'
import type { Miners, Point, Presence } from '../types.js'
import { Chart, millis, price, speed } from './chart.js'
import { rowsOf, type Row } from './offers.js'
import { Level, Machine, minerPath, Prices, Speed, State, Uptime } from './parts.js'
import { replace } from './url.js'

const spans = { hour: 'Hour', day: 'Day', month: 'Month' } as const

export function Model({ name }: { name: string }) {
  const miners = useAsk<Miners>('/coordinator/v1/miners', 5_000)
  const presence = useAsk<{ miners: Presence[] }>('/api/presence', 60_000)
  return (
    <>
      <h1><bdi>{name}</bdi></h1>
      <Answer of={miners}>
        {(m) => {
          const rows = rowsOf(m.miners, presence.data?.miners).filter((r) => r.offer.model === name)
          return rows.length === 0 ? <p className="notice">Nobody who is here now offers this model. Below is what was seen of it before.</p> : <Who rows={rows} name={name} />
        }}
      </Answer>
      <History name={name} />
    </>
  )
}

function Who({ rows, name }: { rows: Row[]; name: string }) {
  const weights = [...new Map(rows.map((r) => [`${r.offer.digest} ${r.offer.class}`, r])).values()]
  return (
    <>
      <p className="actions">
        {!rows[0]!.offer.kind && <Link className="button primary" href={`/play?model=${encodeURIComponent(name)}`}>Try it</Link>}
        <Link className="button" href={`/estimate?model=${encodeURIComponent(name)}`}>What would it cost?</Link>
      </p>
      {weights.map(({ key, offer: o }) => (
        <Section key={key} title={weights.length > 1 ? 'One of several weights of this name' : 'What it is'} aside={o.claimed ? <Badge kind="warn">weights not shown</Badge> : <Badge kind="good">named by its weights</Badge>}>
          <Facts list={[
            ['Weights', <Id of={o.digest} whole />],
            ['Class', <bdi>{o.class}</bdi>],
            ...(o.parameters > 0 ? [['Parameters', count(o.parameters)] as [string, string]] : []),
            ['Reads at most', `${count(o.context)} tokens`],
            ['Writes at most', `${count(o.max_tokens)} tokens`],
            ['Embeddings', o.embeddings ? 'yes' : 'no'],
          ]} />
          {o.claimed && <p><small>The server that runs it cannot show its weights: the receipt says so, too.</small></p>}
        </Section>
      ))}
      <Section title="Who runs it" aside={<span className="num">{rows.length}</span>}>
        <Table cards name="Who runs it" rows={rows} id={(r) => r.key} columns={[
          { name: 'Miner', of: (r) => <Id of={r.miner.miner} to={minerPath(r.miner.miner)} /> },
          { name: 'Machine', of: (r) => <Machine of={r.offer} /> },
          { name: '10⁶ tokens', right: true, of: (r) => <Prices of={r.offer} /> },
          { name: 'Measured', right: true, of: (r) => <Speed of={r.offer} /> },
          { name: 'Uptime', right: true, of: (r) => <Uptime of={r.presence} /> },
          { name: 'Verification', of: (r) => <Level of={r.offer} /> },
          { name: 'Now', of: (r) => <State of={r.miner} /> },
        ]} />
      </Section>
    </>
  )
}

function History({ name }: { name: string }) {
  const url = useLocation()
  const span = (Object.keys(spans) as (keyof typeof spans)[]).find((s) => s === url.searchParams.get('span')) ?? 'day'
  const answer = useAsk<{ points: Point[] }>(`/api/history?model=${encodeURIComponent(name)}&span=${span}`, 60_000)
  const choose = (s: string) => replace(`${url.pathname}${s === 'day' ? '' : `?span=${s}`}`)
  return (
    <Section title="What was seen of it" aside={<span className="tabs" role="group" aria-label="How far back">{Object.entries(spans).map(([s, text]) => <button key={s} type="button" aria-pressed={s === span} onClick={() => choose(s)}>{text}</button>)}</span>}>
      <Answer of={answer} empty={(h) => h.points.length === 0 && 'Nothing yet: this server looks at the market once a minute while it runs.'}>
        {({ points }) => {
          const measured = points.filter((p) => p.measured > 0)
          return (
            <>
              <div className="two">
                <Chart name="Cheapest 10⁶ tokens of an answer" dots={points.map((p) => ({ at: p.at, value: BigInt(p.completion_rate) }))} text={price} />
                <Chart name="Median of measured speeds" dots={measured.map((p) => ({ at: p.at, value: p.milli_tokens_per_second }))} text={speed} />
                <Chart name="Median time to first token" dots={measured.map((p) => ({ at: p.at, value: p.first_token_ms }))} text={millis} />
                <Chart name="Miners that offer it" dots={points.map((p) => ({ at: p.at, value: p.miners }))} text={String} />
              </div>
              <p><small>Speeds are the coordinator’s, measured on real jobs; this server notes them once a minute. A gap is time in which it did not look.</small></p>
            </>
          )
        }}
      </Answer>
    </Section>
  )
}
