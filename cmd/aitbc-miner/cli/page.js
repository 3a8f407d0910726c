'use strict'
// Shows /status and /gpus, again every two seconds. Everything goes in as text.
const $ = (id) => document.getElementById(id)

// coins writes base units, a decimal string, as AITBC.
const coins = (units) => {
  const s = String(units).padStart(19, '0')
  const frac = s.slice(-18).replace(/0+$/, '')
  return s.slice(0, -18) + (frac ? '.' + frac.slice(0, 9) : '') + ' AITBC'
}
const cell = (row, text) => { row.insertCell().textContent = text ?? '–' }
const fill = (id, rows) => {
  const body = $(id).tBodies[0]
  body.replaceChildren()
  for (const r of rows) { const row = body.insertRow(); for (const c of r) cell(row, c) }
  $(id).closest('section').hidden = rows.length === 0
}
const facts = (pairs) => {
  $('now').replaceChildren(...pairs.flatMap(([k, v]) => {
    const dt = document.createElement('dt'), dd = document.createElement('dd')
    dt.textContent = k
    dd.textContent = v
    return [dt, dd]
  }))
}
const gib = (b) => (b === undefined ? '–' : (b / 2 ** 30).toFixed(1) + ' GiB')

const show = (s, gpus) => {
  const waits = s.reason || s.link_error || ''
  $('state').textContent = s.phase + (waits ? ': ' + waits : '')
  $('state').className = s.phase === 'working' && !waits ? 'ok' : ''
  const j = s.totals.jobs
  facts([
    ['miner', s.miner], ['coordinator', s.coordinator + ', ' + s.link], ['version', s.version], ['slots', s.running.length + ' of ' + s.slots],
    ['jobs', ['completed', 'canceled', 'failed', 'lost'].map((k) => j[k] + ' ' + k).join(', ')],
    ['tokens', s.totals.usage.prompt_tokens + ' prompt, ' + s.totals.usage.completion_tokens + ' answer'],
    ['earned', coins(s.owed) + ', of which ' + coins(s.credited) + ' is paid on the chain'],
  ])
  fill('offers', (s.offers ?? []).map((o) => [o.model, o.kind || 'model', coins(o.prompt_rate), coins(o.completion_rate), o.second_rate ? coins(o.second_rate) : '–', o.gpu]))
  fill('running', s.running.map((r) => [r.job_id, new Date(r.started).toLocaleTimeString(), r.pieces]))
  fill('gpus', gpus.map((g) => [g.name, gib(g.memory_used) + ' of ' + gib(g.memory_total), g.busy === undefined ? '–' : g.busy + ' %',
    g.temperature === undefined ? '–' : g.temperature + ' °C', g.power === undefined ? '–' : Math.round(g.power / 1000) + ' W']))
}

const look = async () => {
  try {
    const [s, g] = await Promise.all(['/status', '/gpus'].map((p) => fetch(p).then((r) => r.json())))
    show(s, g.gpus)
  } catch {
    $('state').textContent = 'the miner does not answer'
    $('state').className = 'down'
  }
  setTimeout(look, 2000)
}
look()
