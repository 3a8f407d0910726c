import { coins } from '@aitbc/shared'

interface Dot {
  at: number
  value: number | bigint
}

/** A line of values over time; what it shows is also said in words. */
export function Chart({ name, dots, text, bars }: { name: string; dots: Dot[]; text: (v: number | bigint) => string; bars?: boolean }) {
  if (dots.length < 2) return <p className="empty">{name}: too little was seen yet to draw it.</p>
  const [w, h, pad] = [640, 130, 4]
  const times = dots.map((d) => d.at)
  const [t0, t1] = [Math.min(...times), Math.max(...times)]
  const values = dots.map((d) => d.value)
  const top = values.reduce((a, b) => (b > a ? b : a))
  // Only where the pen goes is rounded: exact amounts are in the words.
  const share = (v: number | bigint) => (Number(top) === 0 ? 0 : Number(v) / Number(top))
  const x = (t: number) => pad + ((w - 2 * pad) * (t - t0)) / Math.max(1, t1 - t0)
  const y = (v: number | bigint) => h - pad - (h - 2 * pad) * share(v)
  const last = dots.at(-1)!
  const low = values.reduce((a, b) => (b < a ? b : a))
  const say = `${name}: ${text(last.value)} now, ${text(low)} to ${text(top)} since ${new Date(t0).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const gap = (t1 - t0) / dots.length
  return (
    <figure className="chart">
      <figcaption>{name}<b className="num">{text(last.value)}</b></figcaption>
      <svg viewBox={`0 0 ${w} ${h}`} preserveAspectRatio="none" role="img" aria-label={say}>
        <line x1="0" x2={w} y1={h - pad} y2={h - pad} className="axis" />
        {bars
          ? dots.map((d) => <rect key={d.at} x={x(d.at) - (w / dots.length) * 0.35} width={Math.max(1, (w / dots.length) * 0.7)} y={y(d.value)} height={h - pad - y(d.value)} />)
          : <path d={dots.map((d, i) => `${i === 0 || d.at - dots[i - 1]!.at > 6 * gap ? 'M' : 'L'}${x(d.at).toFixed(1)} ${y(d.value).toFixed(1)}`).join('')} />}
      </svg>
      <div className="ends"><small>{new Date(t0).toLocaleString()}</small><small>highest {text(top)}</small><small>{new Date(t1).toLocaleString()}</small></div>
    </figure>
  )
}

export const price = (v: number | bigint) => `${coins(String(v))} AITBC`
export const speed = (v: number | bigint) => `${(Number(v) / 1000).toFixed(1)} tokens/s`
export const millis = (v: number | bigint) => `${v} ms`
