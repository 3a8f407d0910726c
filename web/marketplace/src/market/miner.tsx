import { Amount, Answer, At, Badge, count, Facts, Id, Link, Section, Table, useAsk, utc, type Account } from '@aitbc/shared'
import type { Miners, Presence } from '../types.js'
import { Level, Machine, ModelName, Prices, Speed, State, Uptime } from './parts.js'

export function MinerPage({ id }: { id: string }) {
  const miners = useAsk<Miners>('/coordinator/v1/miners', 5_000)
  const presence = useAsk<{ miners: Presence[] }>('/api/presence', 60_000)
  const known = /^0x[0-9a-f]{40}$/i.test(id)
  const account = useAsk<Account>(known ? `/explorer/api/addresses/${id}` : null, 15_000)
  if (!known) return <><h1>Miner</h1><p className="notice">That is no account: 0x and 40 hex digits name one.</p></>
  return (
    <>
      <h1>Miner</h1>
      <p><Id of={id} whole /></p>
      <Answer of={miners}>
        {(list) => {
          const m = list.miners.find((x) => x.miner.toLowerCase() === id.toLowerCase())
          if (!m) return <p className="notice">The coordinator does not know this account as a miner.</p>
          const seen = presence.data?.miners.find((p) => p.miner.toLowerCase() === id.toLowerCase())
          return (
            <>
              <Section title="Now" aside={<State of={m} />}>
                <Facts list={[
                  ['Jobs completed', count(m.completed)],
                  ['Reputation', <>{m.reputation} of 1,000 <small>from settled receipts alone</small></>],
                  ['Seen online', <><Uptime of={seen} />{seen && <> <small>since {utc(new Date(seen.since))}</small></>}</>],
                  ['Last heard of', utc(new Date(m.last_seen))],
                ]} />
              </Section>
              <Section title="What it offers" aside={<span className="num">{m.offers?.length ?? 0}</span>}>
                {m.offers?.length ? (
                  <Table cards name="Offers" rows={m.offers} id={(o) => `${o.model} ${o.digest} ${o.class}`} columns={[
                    { name: 'Model', of: (o) => <ModelName of={o} /> },
                    { name: 'Machine', of: (o) => <Machine of={o} /> },
                    { name: '10⁶ tokens', right: true, of: (o) => <Prices of={o} /> },
                    { name: 'Measured', right: true, of: (o) => <Speed of={o} /> },
                    { name: 'Its own word', right: true, of: (o) => (o.benchmark ? <>{o.benchmark.tokens_per_second.toFixed(1)} <small>tokens/s, when it joined</small></> : <small>none</small>) },
                    { name: 'Verification', of: (o) => <Level of={o} /> },
                    { name: 'Try', of: (o) => (o.kind ? null : <Link className="button" href={`/play?model=${encodeURIComponent(o.model)}&miner=${m.miner}`}>Try</Link>) },
                  ]} />
                ) : <p className="empty">Nothing.</p>}
              </Section>
            </>
          )
        }}
      </Answer>
      <Section title="On the chain">
        <Answer of={account}>
          {(a) => a.miner ? (
            <Facts list={[
              ['Stake', <Amount of={a.miner.stake} />],
              ['Leaving', <Amount of={a.miner.unbonding} />],
              ['Jailed', a.miner.jailed_until * 1000 > Date.now() ? <Badge kind="bad">until <At seconds={a.miner.jailed_until} /></Badge> : 'no'],
              ['Signs with', <Id of={a.miner.signer} whole />],
            ]} />
          ) : <p className="empty">It is not in the registry.</p>}
        </Answer>
      </Section>
    </>
  )
}
