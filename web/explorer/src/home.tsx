import { Ago, Amount, Answer, count, Id, Link, Section, Table, useAsk, useNow, type Block, type Event, type Page, type Tx } from '@aitbc/shared'
import { useLive } from './live.js'
import { txColumns } from './txs.js'

export function Home() {
  const { status, blocks, connected } = useLive()
  const height = status?.head ?? 0
  const older = useAsk<Page<Block>>(height ? '/api/blocks?limit=30' : null)
  const txs = useAsk<Page<Tx>>('/api/txs?limit=10', 5_000)
  const settled = useAsk<Page<Event>>('/api/events?name=Market.Settled&limit=8', 5_000)
  const lowest = blocks.at(-1)?.height ?? Infinity
  const strip = [...blocks, ...(older.data?.items ?? []).filter((b) => b.height < lowest)].slice(0, 30)
  return (
    <>
      <h1>Head of the chain</h1>
      <dl className="figures">
        <div><dt>Block</dt><dd>{height ? count(height) : '–'}</dd></div>
        <div><dt>Final</dt><dd><Clock at={status?.time} connected={connected} /></dd></div>
        <div><dt>Transactions</dt><dd>{status ? count(status.txs) : '–'}</dd></div>
        <div><dt>Mean of 100 blocks</dt><dd>{status ? `${status.block_seconds.toFixed(2)} s` : '–'}</dd></div>
        <div><dt>Burned</dt><dd>{status ? <Amount of={status.burned} /> : '–'}</dd></div>
      </dl>
      <Section title="Newest blocks" aside={<span>Every block is final when it is here</span>}>
        {strip.length === 0 ? <p className="empty">No block yet.</p> : (
          <div className="strip" role="region" aria-label="Newest blocks" tabIndex={0}>
            {strip.map((b) => (
              <Link key={b.height} href={`/block/${b.height}`}>
                <b className="num">{count(b.height)}</b>
                <span>{b.txs === 1 ? '1 tx' : `${b.txs} txs`}</span>
                <span><Ago at={b.time} /></span>
                <div className="bar"><i style={{ width: `${Math.min(100, (100 * b.gas_used) / b.gas_limit)}%` }} /></div>
              </Link>
            ))}
          </div>
        )}
      </Section>
      <div className="two">
        <Section title="Newest transactions" aside={<Link href="/txs">All transactions</Link>}>
          <Answer of={txs} empty={(p) => p.items.length === 0 && 'No transaction yet.'}>
            {(p) => <Table name="Newest transactions" rows={p.items} id={(t) => t.hash} columns={txColumns} />}
          </Answer>
        </Section>
        <Section title="Newest settlements" aside={<a href="/api/events?name=Market.Settled&limit=1000&format=csv" download>CSV</a>}>
          <Answer of={settled} empty={(p) => p.items.length === 0 && 'No job has been settled yet: aitbc submit orders one.'}>
            {(p) => (
              <Table name="Newest settlements" rows={p.items} id={(e) => `${e.height}.${e.seq}`} columns={[
                { name: 'Batch', of: (e) => <Link href={`/tx/${e.tx}`}>{String(e.args['batch'])}</Link> },
                { name: 'Jobs', right: true, of: (e) => String(e.args['count']) },
                { name: 'Paid to miners', right: true, of: (e) => <Amount of={String(e.args['paid'])} /> },
                { name: 'Coordinator', of: (e) => <Id of={String(e.args['coordinator'])} to={`/address/${String(e.args['coordinator'])}`} /> },
                { name: 'When', of: (e) => <Ago at={e.time} /> },
              ]} />
            )}
          </Answer>
        </Section>
      </div>
    </>
  )
}

/** How long ago the chain last decided. */
function Clock({ at, connected }: { at: string | undefined; connected: boolean }) {
  const now = useNow()
  if (!at) return <>–</>
  const seconds = Math.max(0, Math.round((now - new Date(at).getTime()) / 1000))
  return (
    <>
      <span className="num">{seconds} s</span> <small>ago{connected ? '' : ', connecting again'}</small>
    </>
  )
}
