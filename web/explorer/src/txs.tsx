import type React from 'react'
import { Ago, Amount, Answer, Badge, count, Facts, Id, Link, Section, Table, useAsk, type Column, type Match, type Tx, type TxDetail } from '@aitbc/shared'
import { Args, Events } from './events.js'
import { Paged } from './paged.js'

export const txColumns: Column<Tx>[] = [
  { name: 'Transaction', of: (t) => <Id of={t.hash} to={`/tx/${t.hash}`} /> },
  { name: 'What', of: (t) => <>{t.ok ? t.method : <Badge kind="bad">✗ {t.method}</Badge>}</> },
  { name: 'From', of: (t) => <Id of={t.from} to={`/address/${t.from}`} /> },
  { name: 'To', of: (t) => (t.to ? <Id of={t.to} to={`/address/${t.to}`} /> : 'new contract') },
  { name: 'Value', right: true, of: (t) => <Amount of={t.value} /> },
  { name: 'Block', right: true, of: (t) => <Link href={`/block/${t.height}`}>{count(t.height)}</Link> },
  { name: 'When', of: (t) => <Ago at={t.time} /> },
]

export function Txs() {
  return (
    <>
      <h1>Transactions</h1>
      <Paged<Tx> title="All transactions" path="/api/txs" empty="No transaction yet.">
        {(rows) => <Table name="Transactions" rows={rows} id={(t) => t.hash} columns={txColumns} />}
      </Paged>
    </>
  )
}

/** Whose words a name is in: a stranger's contract may be called as one of the network's. */
function From({ match }: { match: Match }) {
  return match === 'network' ? null : <Badge kind="plain">by its verified source</Badge>
}

export function TxPage({ hash }: { hash: string }) {
  const answer = useAsk<TxDetail>(`/api/txs/${encodeURIComponent(hash)}`)
  return (
    <>
      <h1>Transaction {answer.data && (answer.data.ok ? <Badge kind="good">✓ done</Badge> : <Badge kind="bad">✗ failed</Badge>)}</h1>
      <Answer of={answer}>
        {(t) => (
          <>
            {!t.ok && <div className="notice bad"><p>Why it failed: {t.reason}</p></div>}
            <Section title="In brief">
              <Facts list={[
                ['Hash', <Id of={t.hash} whole />],
                ['Block', <><Link href={`/block/${t.height}`}>{count(t.height)}</Link>, number {t.index}, <Ago at={t.time} /> <Badge kind="good">✓ final</Badge></>],
                ['From', <Id of={t.from} to={`/address/${t.from}`} whole />],
                ['To', t.to ? <Id of={t.to} to={`/address/${t.to}`} whole /> : 'a new contract'],
                ...(t.created ? [['Made', <Id of={t.created} to={`/address/${t.created}`} whole />] as [string, React.ReactNode]] : []),
                ['Value', <Amount of={t.value} />],
                ['Fee', <><Amount of={t.fee} />, of which <Amount of={t.burned} /> was burned</>],
                ['Gas', <span className="num">{count(t.gas_used)} of {count(t.gas_limit)}</span>],
                ['Nonce', t.nonce],
              ]} />
            </Section>
            <Section title="What it called">
              {!t.call ? <p className="empty">The node does not have what the transaction called with any more.</p> : (
                <>
                  <p><b>{t.call.contract ? `${t.call.contract}.${t.call.method}` : t.call.method}</b> {t.call.contract && <From match={t.call.match} />} <small>{count(t.call.bytes)} bytes</small></p>
                  {t.call.args && <Args of={t.call.args} strange={t.call.match !== 'network'} />}
                  {t.call.data.length > 2 && <Id of={t.call.data} whole />}
                </>
              )}
            </Section>
            <Section title="Events of the network’s contracts, and transfers of tokens">
              {t.events.length === 0 ? <p className="empty">None.</p> : <Events list={t.events} />}
            </Section>
            {t.logs.length > 0 && (
              <Section title="Logs of other contracts">
                {t.logs.map((l, i) => (
                  <div className="event" key={i}>
                    <p>{l.event && <><b>{l.contract}.{l.event}</b> <From match={l.match} /></>} <Id of={l.address} to={`/address/${l.address}`} /></p>
                    {l.args ? <Args of={l.args} strange /> : <Args of={{ topics: l.topics, data: l.data }} />}
                  </div>
                ))}
              </Section>
            )}
          </>
        )}
      </Answer>
    </>
  )
}
