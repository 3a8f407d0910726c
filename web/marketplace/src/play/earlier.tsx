import { Ago, Amount, Badge, Section } from '@aitbc/shared'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Turn } from './machine.js'
import { jobsOf, type Held } from './live.js'
import { TurnReceipt } from './receipt.js'

const shown = 5

/** What was ordered in a session and is not in the conversation: before the page was loaded anew, say. */
export function Earlier({ held, turns }: { held: Held; turns: readonly Turn[] }) {
  const [all, setAll] = useState(false)
  const jobs = useQuery({ queryKey: ['jobs', held.kept.spender, turns.length], queryFn: () => jobsOf(held.kept), refetchInterval: 10_000 })
  const list = (jobs.data ?? []).filter((j) => !turns.some((t) => t.job === j.job_id))
  if (list.length === 0) return null
  return (
    <Section title="Earlier in this session" aside={list.length > shown && <button type="button" aria-expanded={all} onClick={() => setAll(!all)}>{all ? 'Fewer' : `All ${list.length}`}</button>}>
      {(all ? list : list.slice(0, shown)).map((j) => (
        <div className="event" key={j.job_id}>
          <p>
            <b><bdi>{j.model}</bdi></b> <Badge kind={j.state === 'completed' ? 'good' : j.state === 'failed' || j.state === 'expired' ? 'bad' : 'plain'}>{j.state}</Badge>
            <span>{j.state === 'completed' || j.state === 'canceled' ? <>paid <Amount of={j.price} /></> : j.state === 'failed' || j.state === 'expired' ? 'not paid for' : <>at most <Amount of={j.max_price} /></>}</span>
            <small><Ago at={new Date(j.created_at).toISOString()} /></small>
          </p>
          {j.receipt_id && <TurnReceipt held={held} job={j.job_id} />}
        </div>
      ))}
      <p><small>Questions and answers are not kept: only this page could read them. Each job ends paid or paid back, whether you watch or not.</small></p>
    </Section>
  )
}
