import { Amount, Answer, At, Badge, count, Facts, Id, percent, Section, Table, useAsk, type Miner, type Page, type Parameter, type Proposal, type Supply as Coins, type Validator } from '@aitbc/shared'

const csv = (path: string) => <a href={`${path}?format=csv`} download>CSV</a>

export function Validators() {
  const answer = useAsk<Page<Validator>>('/api/validators', 5_000)
  return (
    <>
      <h1>Validators</h1>
      <Section title="Who decides the blocks" aside={csv('/api/validators')}>
        <Answer of={answer} empty={(p) => p.items.length === 0 && 'There is none.'}>
          {(p) => {
            const power = p.items.reduce((sum, v) => sum + v.power, 0)
            return (
              <Table name="Validators" rows={p.items} id={(v) => v.operator} columns={[
                { name: 'Validator', of: (v) => <>{v.moniker || 'no name'}<br /><Id of={v.operator} to={`/address/${v.operator}`} /></> },
                { name: 'Standing', of: (v) => <Badge kind={v.standing === 'active' ? 'good' : v.standing === 'jailed' || v.standing === 'tombstoned' ? 'bad' : 'plain'}>{v.standing}</Badge> },
                { name: 'Power', right: true, of: (v) => <>{count(v.power)}<br /><small>{power ? percent(Math.round((10_000 * v.power) / power)) : '–'}</small></> },
                { name: 'Stake', right: true, of: (v) => <><Amount of={v.tokens} /><br /><small>own <Amount of={v.self_stake} /></small></> },
                { name: 'Commission', right: true, of: (v) => percent(v.commission_bps) },
                { name: 'Newest blocks signed', of: (v) => <Strip of={v} /> },
              ]} />
            )
          }}
        </Answer>
      </Section>
    </>
  )
}

/** What a validator signed of the newest blocks, a mark for each. */
function Strip({ of }: { of: Validator }) {
  const signed = [...of.signing].filter((c) => c === 's').length
  const missed = [...of.signing].filter((c) => c === 'm').length
  return (
    <>
      <span className="signing" role="img" aria-label={`${signed} signed, ${missed} missed`}>
        {[...of.signing].map((c, i) => <i key={of.signing_from + i} className={c === '-' ? 'out' : c} title={`block ${of.signing_from + i}`} />)}
      </span>
      <br />
      <small>{signed} signed, {missed} missed</small>
    </>
  )
}

export function Miners() {
  const answer = useAsk<Page<Miner>>('/api/miners', 5_000)
  return (
    <>
      <h1>Miners</h1>
      <Section title="Who runs the models" aside={csv('/api/miners')}>
        <Answer of={answer} empty={(p) => p.items.length === 0 && 'No miner is registered with the coordinator: aitbc-miner start makes this machine one.'}>
          {(p) => (
            <Table name="Miners" rows={p.items} id={(m) => m.miner} columns={[
              { name: 'Miner', of: (m) => <><Id of={m.miner} to={`/address/${m.miner}`} /><br /><Badge kind={m.state === 'online' ? 'good' : m.state === 'draining' ? 'warn' : 'plain'}>{m.state}</Badge></> },
              { name: 'Models', of: (m) => m.models.map((o) => <div key={o.model + o.class}>{o.model} {o.claimed && <Badge kind="warn">weights not shown</Badge>}</div>) },
              { name: 'Price', right: true, of: (m) => m.models.map((o) => <div key={o.model + o.class}><Amount of={o.prompt_rate} /> in, <Amount of={o.completion_rate} /> out of 10⁶ tokens{o.second_rate && <>, <Amount of={o.second_rate} /> a second</>}{o.item_rate && <>, <Amount of={o.item_rate} /> an item</>}</div>) },
              { name: 'Measured', right: true, of: (m) => m.models.map((o) => <div key={o.model + o.class}>{o.measured && o.measured.jobs > 0 ? `${o.measured.tokens_per_second.toFixed(0)} tokens/s, first in ${o.measured.first_token_ms} ms` : 'not yet'}</div>) },
              { name: 'Jobs', right: true, of: (m) => count(m.completed) },
              { name: 'Free', right: true, of: (m) => `${m.free_slots} of ${m.slots}` },
              { name: 'Earned', right: true, of: (m) => <Amount of={m.earned} /> },
              { name: 'Stake', right: true, of: (m) => <Amount of={m.stake} /> },
            ]} />
          )}
        </Answer>
      </Section>
    </>
  )
}

export function Governance() {
  const proposals = useAsk<Page<Proposal>>('/api/proposals', 10_000)
  return (
    <>
      <h1>Governance</h1>
      <Section title="Proposals" aside={csv('/api/proposals')}>
        <Answer of={proposals} empty={(p) => p.items.length === 0 && 'Nothing has been proposed: aitbc gov propose does.'}>
          {(p) => p.items.map((v) => (
            <div className="event" key={v.id}>
              <p><b>Proposal {v.number}</b> <Badge kind={v.state === 'executed' || v.state === 'succeeded' ? 'good' : v.state === 'defeated' || v.state === 'canceled' ? 'bad' : 'plain'}>{v.state}</Badge></p>
              <Facts list={[
                ['What', v.description || 'the node does not have its text'],
                ['Does', v.actions.map((a, i) => <div key={i}>{a}</div>)],
                ['By', <Id of={v.proposer} to={`/address/${v.proposer}`} />],
                ['Vote', <><At seconds={v.vote_start} /> to <At seconds={v.vote_end} /></>],
                ['For', <Amount of={v.for} />],
                ['Against', <Amount of={v.against} />],
                ['Abstain', <Amount of={v.abstain} />],
                ['Quorum', <Amount of={v.quorum} />],
              ]} />
            </div>
          ))}
        </Answer>
      </Section>
      <Parameters />
    </>
  )
}

function Parameters() {
  const answer = useAsk<Page<Parameter>>('/api/parameters')
  return (
    <Section title="Parameters" aside={csv('/api/parameters')}>
      <Answer of={answer}>
        {(p) => (
          <Table name="Parameters" rows={p.items} id={(v) => `${v.contract}.${v.name}`} columns={[
            { name: 'Parameter', of: (v) => <>{v.name}<br /><small>{v.contract}</small></> },
            { name: 'Value', right: true, of: (v) => (/^\d+$/.test(v.value) ? count(v.value) : v.value) },
            { name: 'Type', of: (v) => <small>{v.type}</small> },
          ]} />
        )}
      </Answer>
    </Section>
  )
}

export function Supply() {
  const answer = useAsk<Coins>('/api/supply', 5_000)
  return (
    <>
      <h1>Supply</h1>
      <Section title="How many coins there are">
        <Answer of={answer}>
          {(s) => (
            <>
              {!s.whole && <div className="notice"><p>The index does not have the first blocks: what they burned is not counted here.</p></div>}
              <Facts list={[
                ['In all', <b><Amount of={s.total} /></b>],
                ['In the first block', <Amount of={s.genesis} />],
                ['Issued since', <Amount of={s.issued} />],
                ['Burned since', <Amount of={s.burned} />],
                ['Bonded', <Amount of={s.bonded} />],
                ['Unbonding', <Amount of={s.unbonding} />],
                ['In sessions and jobs', <Amount of={s.market} />],
                ['Treasury', <Amount of={s.treasury} />],
                ['At block', count(s.height)],
              ]} />
            </>
          )}
        </Answer>
      </Section>
    </>
  )
}
