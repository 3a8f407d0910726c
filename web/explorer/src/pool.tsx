import { Ago, Amount, Answer, Badge, coins, count, Facts, Id, Section, Table, useAsk, type Consensus, type Page, type Peer, type WaitingTx } from '@aitbc/shared'

/** What happens before a block is there: who decides, and what waits. */
export function Network() {
  const consensus = useAsk<Consensus>('/api/consensus', 1_000)
  const waiting = useAsk<Page<WaitingTx>>('/api/mempool?limit=100', 2_000)
  const peers = useAsk<Page<Peer>>('/api/peers', 10_000)
  return (
    <>
      <h1>Network</h1>
      <Section title="The block that is being decided">
        <Answer of={consensus}>
          {(c) => (
            <Facts list={[
              ['Block', count(c.height)],
              ['Round', c.round === 0 ? 'the first' : <Badge kind="warn">{count(c.round + 1)}</Badge>],
              ['Step', <>{c.step}, begun <Ago at={c.since} /></>],
              ['Transactions that wait', <>{count(c.ready)}{c.queued > 0 && <>, and {count(c.queued)} for an earlier one of their sender’s</>}</>],
              ['Peers of the node', count(c.peers)],
            ]} />
          )}
        </Answer>
      </Section>
      <Section title="Transactions that wait" aside={<a href="/api/mempool?limit=1000&format=csv" download>CSV</a>}>
        <Answer of={waiting} empty={(p) => p.items.length === 0 && 'None: what is sent now is in the next block.'}>
          {(p) => (
            <Table name="Transactions that wait" rows={p.items} id={(t) => t.hash} columns={[
              { name: 'Transaction', of: (t) => <Id of={t.hash} /> },
              { name: 'What', of: (t) => <>{t.method} {!t.ready && <Badge kind="warn">waits for an earlier one</Badge>}</> },
              { name: 'From', of: (t) => <><Id of={t.from} to={`/address/${t.from}`} /><br /><small>nonce {count(t.nonce)}</small></> },
              { name: 'To', of: (t) => (t.to ? <Id of={t.to} to={`/address/${t.to}`} /> : 'new contract') },
              { name: 'Value', right: true, of: (t) => <Amount of={t.value} /> },
              { name: 'Pays per gas', right: true, of: (t) => <span className="num">{coins(t.fee_cap, 9)} <small>Gwei at most, tip {coins(t.tip, 9)}</small></span> },
            ]} />
          )}
        </Answer>
      </Section>
      <Section title="Peers of the explorer’s node" aside={<a href="/api/peers?format=csv" download>CSV</a>}>
        <Answer of={peers} empty={(p) => p.items.length === 0 && 'None: the network has one node, or this one is cut off.'}>
          {(p) => (
            <Table name="Peers" rows={p.items} id={(v) => v.id} columns={[
              { name: 'Node', of: (v) => v.moniker || 'no name' },
              { name: 'Id', of: (v) => <Id of={v.id} /> },
              { name: 'Version', of: (v) => v.version },
              { name: 'Who called', of: (v) => (v.outbound ? 'the explorer’s node' : 'the peer') },
            ]} />
          )}
        </Answer>
      </Section>
    </>
  )
}
