// Looks at every page of a running explorer or marketplace in a real browser, wide
// and narrow, light and dark: writes what it saw, and fails if axe finds a violation,
// if a page is wider than its window, if anything was refused by the content policy,
// or if a request left the origin.
//
//   node look.mjs http://127.0.0.1:3000 screenshots [receipt.json]
//   node look.mjs http://127.0.0.1:5173 screenshots [receipt.json]
//
// The marketplace is seen without a wallet, and with one: that of PRIVATE_KEY, or a
// new one, whose account is empty.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'
import { generatePrivateKey } from 'viem/accounts'
import { addWallet } from './e2e/wallet.mjs'

const [base, out, receipt] = process.argv.slice(2)
if (!base || !out) {
  console.error('usage: node look.mjs URL FOLDER [RECEIPT]')
  process.exit(2)
}
mkdirSync(out, { recursive: true })
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const ask = async (path) => (await fetch(base + path)).json()

async function explorer() {
  const txs = (await ask('/api/txs?limit=100')).items
  const settle = txs.find((t) => t.method === 'settle') ?? txs[0]
  const failed = txs.find((t) => !t.ok)
  const miners = await ask('/api/miners')
  const pages = {
    head: '/', blocks: '/blocks', block: `/block/${settle?.height ?? 1}`, txs: '/txs', validators: '/validators', miners: '/miners',
    governance: '/governance', supply: '/supply', network: '/network', contracts: '/contracts', receipts: '/job', missing: '/block/999999999', nothing: '/nothing', search: '/search?q=1',
  }
  const market = '/address/0x000000000000000000000000000000000000a102'
  for (const part of ['code', 'read', 'write']) pages[`market-${part}`] = `${market}?contract=${part}`
  const { items } = await ask('/api/contracts?limit=1')
  if (items[0]) pages.contract = `/address/${items[0].address}`
  if (settle) pages.tx = `/tx/${settle.hash}`
  if (failed) pages.failed = `/tx/${failed.hash}`
  if (miners.items?.[0]) pages.miner = `/address/${miners.items[0].miner}`
  const session = (await ask('/api/events?name=Market.SessionOpened&limit=1')).items[0]
  if (session) pages.session = `/session/${session.args.session}`
  const direct = (await ask('/api/events?name=Market.JobCreated&limit=1')).items[0]
  if (direct) pages.direct = `/direct/${direct.args.job}`
  return pages
}

async function marketplace() {
  const { miners } = await ask('/coordinator/v1/miners')
  const offer = miners.find((m) => m.offers?.length)
  const pages = {
    market: '/', filtered: '/?q=nothing-is-called-so&level=3', estimate: '/estimate', play: '/play', keys: '/keys', receipts: '/verify', desk: '/desk', stake: '/stake',
    vote: '/vote', faucet: '/faucet', nothing: '/nothing', markup: `/model/${encodeURIComponent('<img src=x onerror=alert(1)>')}`, script: `/miner/${encodeURIComponent('javascript:alert(1)')}`,
  }
  if (offer) {
    pages.model = `/model/${encodeURIComponent(offer.offers[0].model)}?span=hour`
    pages.miner = `/miner/${offer.miner}`
    pages.own = `/desk?miner=${offer.miner}`
  }
  return pages
}

const { service } = await ask('/health')
const pages = service === 'marketplace' ? await marketplace() : await explorer()
const opens = service === 'marketplace' ? '.checked' : 'ol.path' // what a receipt is shown in
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
let bad = 0
const complain = (text) => {
  bad++
  console.error(text)
}

/** A browser whose wallet is connected to this network already. */
async function connected(context) {
  const wallet = await addWallet(context, process.env.PRIVATE_KEY ?? generatePrivateKey())
  wallet.chain = (await ask('/coordinator/v1/network')).chain_id
  wallet.known.set(wallet.chain, `${base}/node/eth`)
  await context.addInitScript(() => localStorage.setItem('wallet', 'test.wallet'))
}

async function look(width, scheme, wallet) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme, reducedMotion: 'reduce' })
  if (wallet) await connected(context)
  const page = await context.newPage()
  page.on('console', (m) => /Content Security Policy|Trusted/i.test(m.text()) && complain(`${page.url()}: ${m.text()}`))
  page.on('pageerror', (e) => complain(`${page.url()}: ${e.message}`))
  page.on('dialog', (d) => complain(`${page.url()}: it opened a dialog, ${d.message()}`))
  page.on('request', (r) => !r.url().startsWith(base) && !r.url().startsWith('data:') && complain(`${page.url()} asks ${r.url()}`))
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(base + path)
    await page.waitForFunction(() => document.querySelector('h1, .notice') && !document.querySelector('.waiting'), undefined, { timeout: 30_000 })
    if (wallet) await page.waitForFunction(() => /0x/.test(document.querySelector('button.wallet').textContent) && !document.querySelector('.waiting'))
    if (name === 'receipts' && receipt) {
      await page.setInputFiles('input[type=file]', receipt)
      await page.waitForSelector(opens, { timeout: 30_000 })
    }
    await page.screenshot({ path: `${out}/${name}-${width}-${scheme}${wallet ? '-wallet' : ''}.png`, fullPage: true })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    if (wide > 0) complain(`${path} at ${width}: ${wide} px wider than the window`)
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => window.axe.run())
    for (const v of violations) complain(`${path} at ${width}, ${scheme}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}`)
  }
  await context.close()
}

for (const scheme of ['light', 'dark']) {
  for (const width of [1280, 360]) {
    await look(width, scheme, false)
    if (service === 'marketplace') await look(width, scheme, true)
  }
}
await browser.close()
console.log(`${Object.keys(pages).length} pages, ${bad} complaints`)
process.exit(bad > 0 ? 1 : 0)
