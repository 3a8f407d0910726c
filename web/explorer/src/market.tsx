import { Amount, Answer, At, Badge, Facts, Id, percent, Section, useAsk, type DirectJob as Job, type Event, type Session as Data } from '@aitbc/shared'
import { Events } from './events.js'
import { Paged } from './paged.js'

const nobody = '0x0000000000000000000000000000000000000000'

export function Session({ id }: { id: string }) {
  const answer = useAsk<Data>(`/api/sessions/${encodeURIComponent(id)}`, 5_000)
  return (
    <>
      <h1>Session {id} {answer.data && <Badge kind={answer.data.state === 'open' ? 'good' : 'plain'}>{answer.data.state}</Badge>}</h1>
      <Answer of={answer}>
        {(s) => (
          <>
            <Section title="As it stands">
              <Facts list={[
                ['Client', <Id of={s.client} to={`/address/${s.client}`} whole />],
                ['Coordinator', <Id of={s.coordinator} to={`/address/${s.coordinator}`} whole />],
                ['Spender', <Id of={s.spender} to={`/address/${s.spender}`} whole />],
                ['Deposit', <Amount of={s.deposit} />],
                ['Paid so far', <><Amount of={s.debited} />, for orders up to number {s.through}</>],
                ['Left', <Amount of={(BigInt(s.deposit) - BigInt(s.debited)).toString()} />],
                ['Protocol fee', percent(s.fee_bps)],
                [s.state === 'closing' ? 'Refunded at' : 'Ends', <At seconds={s.state === 'closing' ? s.due_at : s.expiry} />],
              ]} />
            </Section>
            <Paged<Event> title="What happened" path={`/api/events?session=${s.id}`} empty="Nothing yet.">
              {(rows) => <Events list={rows} placed />}
            </Paged>
          </>
        )}
      </Answer>
    </>
  )
}

export function DirectJob({ id }: { id: string }) {
  const answer = useAsk<Job>(`/api/jobs/${encodeURIComponent(id)}`, 5_000)
  return (
    <>
      <h1>Direct job {id} {answer.data && <Badge kind={answer.data.state === 'paid' ? 'good' : 'plain'}>{answer.data.state}</Badge>}</h1>
      <Answer of={answer}>
        {(j) => (
          <>
            <Section title="As it stands">
              <Facts list={[
                ['Client', <Id of={j.client} to={`/address/${j.client}`} whole />],
                ['Miner', j.miner === nobody ? 'nobody yet' : <Id of={j.miner} to={`/address/${j.miner}`} whole />],
                ['Model', <Id of={j.model} whole />],
                ['Fee', <Amount of={j.fee} />],
                ['Price asked', <Amount of={j.price} />],
                ['Bond of the miner', <Amount of={j.bond} />],
                ['Accept by', <At seconds={j.accept_by} />],
                ['Deadline', <At seconds={j.deadline} />],
                ['This state ends', <At seconds={j.due_at} />],
                ['Receipt', /^0x0+$/.test(j.receipt) ? 'none yet' : <Id of={j.receipt} whole />],
              ]} />
            </Section>
            <Paged<Event> title="What happened" path={`/api/events?job=${j.id}`} empty="Nothing yet.">
              {(rows) => <Events list={rows} placed />}
            </Paged>
          </>
        )}
      </Answer>
    </>
  )
}
