import { Ago, Amount, Answer, count, Facts, go, Id, Link, Section, Table, useAsk, type Block, type BlockDetail, type Tx } from '@aitbc/shared'
import { Events } from './events.js'
import { useHead } from './live.js'
import { Paged } from './paged.js'
import { txColumns } from './txs.js'

export function Blocks() {
  return (
    <>
      <h1>Blocks</h1>
      <Paged<Block> title="All blocks" path="/api/blocks" empty="No block yet.">
        {(rows) => (
          <Table name="Blocks" rows={rows} id={(b) => b.height} columns={[
            { name: 'Block', of: (b) => <Link href={`/block/${b.height}`}>{count(b.height)}</Link> },
            { name: 'When', of: (b) => <Ago at={b.time} /> },
            { name: 'Transactions', right: true, of: (b) => count(b.txs) },
            { name: 'Events', right: true, of: (b) => count(b.events) },
            { name: 'Gas', right: true, of: (b) => count(b.gas_used) },
            { name: 'Proposer', of: (b) => <Id of={b.proposer} to={`/address/${b.proposer}`} /> },
            { name: 'Hash', of: (b) => <Id of={b.hash} to={`/block/${b.height}`} /> },
          ]} />
        )}
      </Paged>
    </>
  )
}

export function BlockPage({ id }: { id: string }) {
  const answer = useAsk<BlockDetail>(`/api/blocks/${encodeURIComponent(id)}`)
  const head = useHead()
  const at = answer.data?.height
  return (
    <>
      <h1>Block {at === undefined ? '' : count(at)}</h1>
      <Answer of={answer}>
        {(b) => (
          <>
            <Section title="In brief" aside={
              <span>
                <button type="button" disabled={b.height <= (head?.first ?? 1)} onClick={() => go(`/block/${b.height - 1}`)} aria-label="The block before">←</button>{' '}
                <button type="button" disabled={b.height >= (head?.head ?? 0)} onClick={() => go(`/block/${b.height + 1}`)} aria-label="The block after">→</button>
              </span>
            }>
              <Facts list={[
                ['Hash', <Id of={b.hash} whole />],
                ['Parent', <Id of={b.parent} to={b.height > 1 ? `/block/${b.height - 1}` : undefined} whole />],
                ['Time', <><Ago at={b.time} /> <small>{b.time}</small></>],
                ['Proposer', <><Id of={b.proposer} to={`/address/${b.proposer}`} whole />{b.validator && <> of <Id of={b.validator} to={`/address/${b.validator}`} /></>}</>],
                ['Signed by', b.round === null ? 'the node has no commit of it' : `${b.signers} of ${b.validators} validators, in round ${b.round}`],
                ['Gas', <span className="num">{count(b.gas_used)} of {count(b.gas_limit)}</span>],
                ['Base fee', <Amount of={b.base_fee} />],
              ]} />
            </Section>
            <Paged<Tx> title="Transactions" path={`/api/blocks/${b.height}/txs`} param="from" empty="None: a block is made every second even without work.">
              {(rows) => <Table name="Transactions" rows={rows} id={(t) => t.hash} columns={txColumns.filter((c) => c.name !== 'Block' && c.name !== 'When')} />}
            </Paged>
            <Section title="What the node’s own calls did" aside={<span>in no Ethereum receipt</span>}>
              {b.system.length === 0 ? <p className="empty">Nothing that was said.</p> : <Events list={b.system} />}
            </Section>
          </>
        )}
      </Answer>
    </>
  )
}
