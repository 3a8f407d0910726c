// Why a machine has no work, from what all can see of it.
import { coins } from '@aitbc/shared/format'
import { rowsOf } from '../market/offers.js'
import type { Miner, Network } from '../types.js'

export interface Reason {
  bad: boolean
  text: string
}

/** The reasons, the gravest first; an empty list is one that works at this moment. */
export function reasons(m: Miner | undefined, all: Miner[], net: Network | undefined, jailedUntil: number, now: number): Reason[] {
  const out: Reason[] = []
  const bad = (text: string) => out.push({ bad: true, text })
  if (jailedUntil * 1000 > now) bad(`The registry has it jailed until ${new Date(jailedUntil * 1000).toISOString()}: it gets no work before.`)
  if (!m) {
    bad('The coordinator does not know this account as a miner: aitbc-miner start connects it.')
    return out
  }
  if (m.state === 'offline') bad('It does not answer: the coordinator heard of it last some time ago. aitbc-miner doctor looks for the cause.')
  if (m.state === 'draining') bad('It is draining: it finishes what it has and takes no more.')
  if (!m.offers || m.offers.length === 0) bad('It offers nothing: its settings name no model that is loaded.')
  if (m.state === 'online' && m.slots > 0 && m.free_slots === 0) return [{ bad: false, text: 'It is at work: every slot is taken.' }, ...out]
  for (const o of m.offers ?? []) {
    const others = rowsOf(all).filter((r) => r.miner.miner !== m.miner && r.offer.model === o.model)
    const cheaper = others.filter((r) => BigInt(r.offer.completion_rate) < BigInt(o.completion_rate) && r.miner.free_slots > 0)
    if (cheaper.length > 0) {
      const least = cheaper.map((r) => BigInt(r.offer.completion_rate)).reduce((a, b) => (b < a ? b : a))
      out.push({ bad: false, text: `${cheaper.length} ${cheaper.length === 1 ? 'machine that is free offers' : 'machines that are free offer'} ${o.model} for less, from ${coins(String(least))} AITBC. Yours takes ${coins(o.completion_rate)}.` })
    }
  }
  if (net && net.queued_jobs === 0) out.push({ bad: false, text: 'No job waits at the coordinator now.' })
  else if (net && out.length === 0) out.push({ bad: false, text: `${net.queued_jobs} ${net.queued_jobs === 1 ? 'job waits' : 'jobs wait'}, for other models or under other terms than yours.` })
  return out
}
