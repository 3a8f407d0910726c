// Cells that several lists of offers have.
import { Amount, Badge, coins, count, Link } from '@aitbc/shared'
import { levels, type Miner, type Offer, type Presence } from '../types.js'
import { uptime } from './offers.js'

export const modelPath = (name: string) => `/model/${encodeURIComponent(name)}`
export const minerPath = (address: string) => `/miner/${encodeURIComponent(address)}`

export function ModelName({ of }: { of: Offer }) {
  return (
    <>
      <Link href={modelPath(of.model)}><bdi>{of.model}</bdi></Link> {of.kind === 'container' && <Badge kind="plain">container</Badge>}
      {of.claimed && <Badge kind="warn">weights not shown</Badge>}
    </>
  )
}

export function Prices({ of }: { of: Offer }) {
  return (
    <>
      <Amount of={of.completion_rate} /><br />
      <small className="num">{coins(of.prompt_rate)} in{of.second_rate && <>, {coins(of.second_rate)} a second</>}{of.item_rate && <>, {coins(of.item_rate)} an item</>}</small>
    </>
  )
}

export function Speed({ of }: { of: Offer }) {
  const m = of.measured
  if (!m || m.jobs === 0) return <small>not measured yet</small>
  return <>{count(m.tokens_per_second.toFixed(m.tokens_per_second < 100 ? 1 : 0))} <small>tokens/s</small><br /><small>first in {count(m.first_token_ms)} ms, {count(m.jobs)} {m.jobs === 1 ? 'job' : 'jobs'}</small></>
}

export function Machine({ of }: { of: Offer }) {
  return <><bdi>{of.gpu ?? 'CPU'}</bdi>{of.vram_gb ? <> <small>{of.vram_gb} GiB</small></> : null}<br /><small><bdi>{of.region ?? 'region not named'}</bdi></small></>
}

export function Uptime({ of }: { of: Presence | undefined }) {
  const share = uptime(of)
  if (!of || share === undefined) return <small>not seen yet</small>
  return <>{(share * 100).toFixed(share === 1 ? 0 : 1)} % <br /><small>of {count(of.looks)} {of.looks === 1 ? 'look' : 'looks'}</small></>
}

export function Level({ of }: { of: Offer }) {
  const level = of.verification ?? 0
  return <span title={levels[level]}>L{level} <small>{levels[level] ?? 'unknown'}</small></span>
}

export function State({ of }: { of: Miner }) {
  if (of.state === 'offline') return <Badge kind="bad">offline</Badge>
  if (of.state === 'draining') return <Badge kind="warn">takes no more work</Badge>
  return of.free_slots > 0 ? <Badge kind="good">{of.free_slots} of {of.slots} free</Badge> : <Badge kind="warn">busy</Badge>
}
