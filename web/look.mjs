// Looks at every page of a running explorer in a real browser, wide and narrow,
// light and dark: writes what it saw, and fails if axe finds a violation, if a
// page is wider than its window, if anything was refused by the content policy,
// or if a request left the origin.
//
//   node look.mjs http://127.0.0.1:3000 screenshots [receipt.json]
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const [base, out, receipt] = process.argv.slice(2)
if (!base || !out) {
  console.error('usage: node look.mjs URL FOLDER [RECEIPT]')
  process.exit(2)
}
mkdirSync(out, { recursive: true })
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const ask = async (path) => (await fetch(base + path)).json()

const txs = (await ask('/api/txs?limit=100')).items
const settle = txs.find((t) => t.method === 'settle') ?? txs[0]
const failed = txs.find((t) => !t.ok)
const miners = await ask('/api/miners')
const pages = {
  head: '/', blocks: '/blocks', block: `/block/${settle?.height ?? 1}`, txs: '/txs', validators: '/validators', miners: '/miners',
  governance: '/governance', supply: '/supply', network: '/network', receipts: '/job', missing: '/block/999999999', nothing: '/nothing', search: '/search?q=1',
}
if (settle) pages.tx = `/tx/${settle.hash}`
if (failed) pages.failed = `/tx/${failed.hash}`
if (miners.items?.[0]) pages.miner = `/address/${miners.items[0].miner}`
const session = (await ask('/api/events?name=Market.SessionOpened&limit=1')).items[0]
if (session) pages.session = `/session/${session.args.session}`
const direct = (await ask('/api/events?name=Market.JobCreated&limit=1')).items[0]
if (direct) pages.direct = `/direct/${direct.args.job}`

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
let bad = 0
const complain = (text) => {
  bad++
  console.error(text)
}
for (const scheme of ['light', 'dark']) {
  for (const width of [1280, 360]) {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme, reducedMotion: 'reduce' })
    const page = await context.newPage()
    page.on('console', (m) => /Content Security Policy|Trusted/i.test(m.text()) && complain(`${page.url()}: ${m.text()}`))
    page.on('pageerror', (e) => complain(`${page.url()}: ${e.message}`))
    page.on('request', (r) => !r.url().startsWith(base) && !r.url().startsWith('data:') && complain(`${page.url()} asks ${r.url()}`))
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(base + path)
      await page.waitForFunction(() => document.querySelector('h1, .notice') && !document.querySelector('.waiting'), undefined, { timeout: 30_000 })
      if (name === 'receipts' && receipt) {
        await page.setInputFiles('input[type=file]', receipt)
        await page.waitForSelector('ol.path', { timeout: 30_000 })
      }
      await page.screenshot({ path: `${out}/${name}-${width}-${scheme}.png`, fullPage: true })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      if (wide > 0) complain(`${path} at ${width}: ${wide} px wider than the window`)
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => window.axe.run())
      for (const v of violations) complain(`${path} at ${width}, ${scheme}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}`)
    }
    await context.close()
  }
}
await browser.close()
console.log(`${Object.keys(pages).length} pages, ${bad} complaints`)
process.exit(bad > 0 ? 1 : 0)
