// One person's way through the marketplace, in a real browser on a real network:
// connect, open a session, be answered, check and spoil a receipt, lose the page in
// the middle, close, and see every coin again. It prints what it saw as JSON.
//
//   PRIVATE_KEY=0x… node e2e/play.mjs http://127.0.0.1:5173 MODEL FOLDER
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'
import { addWallet } from './wallet.mjs'

const [base, model, out] = process.argv.slice(2)
const saw = { violations: [], foreign: [], axe: [] }
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true })
let decline = ''
const wallet = await addWallet(context, process.env.PRIVATE_KEY, {
  name: '<b>Test</b> wallet',
  say: (method) => {
    if (decline === 'locked') throw Object.assign(new Error('locked'), { code: 4100 })
    if (decline === method) throw Object.assign(new Error('the person declined'), { code: 4001 })
  },
})
const page = await context.newPage()
page.setDefaultTimeout(60_000)
page.on('console', (m) => /Content Security Policy|Trusted/i.test(m.text()) && saw.violations.push(m.text()))
page.on('pageerror', (e) => saw.violations.push(e.message))
page.on('request', (r) => !/^(data|blob):/.test(r.url()) && !r.url().startsWith(`${base}/`) && saw.foreign.push(r.url()))
const step = (text) => console.error(text)
const button = (name) => page.getByRole('button', { name, exact: true })
/** Has axe look at the page as it is now, at two widths. */
const accessible = async (where) => {
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 900 })
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => window.axe.run())
    saw.axe.push(...violations.map((v) => `${where} at ${width}: ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}`))
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) saw.axe.push(`${where} is wider than ${width}`)
  }
  await page.setViewportSize({ width: 1280, height: 900 })
}
const attribute = async (selector, name) => page.locator(selector).last().getAttribute(name)

try {
  step('a locked wallet, one that declines, and another network')
  await page.goto(`${base}/play?model=${encodeURIComponent(model)}`)
  await button('Connect wallet').last().click()
  decline = 'locked'
  await page.getByRole('button', { name: '<b>Test</b> wallet' }).click()
  await page.getByText('The wallet is locked').waitFor()
  await accessible('the choice of wallets')
  decline = ''
  await page.getByRole('button', { name: '<b>Test</b> wallet' }).click()
  await page.getByText('Your wallet is on another network').waitFor()
  await button('Change network').click()
  await button('Deposit and begin').waitFor()
  decline = 'eth_sendTransaction'
  await page.getByLabel('Deposit, in AITBC').fill('2.5')
  await button('Deposit and begin').click()
  await page.getByText('You declined.', { exact: true }).waitFor()
  await button('Close').click()

  step('the deposit, and the page lost before the API key')
  decline = 'eth_signTypedData_v4'
  await page.getByLabel('Deposit, in AITBC').fill('2.5')
  await button('Deposit and begin').click()
  await page.getByText('You declined.', { exact: true }).waitFor()
  await page.reload()
  await page.getByText('has no API key').waitFor()
  decline = ''
  await button('Sign for the API key').click()
  await button('Close session').waitFor()
  await page.waitForFunction(() => document.querySelector('[data-free]')?.getAttribute('data-free') === '2500000000000000000')

  step('an answer, streamed')
  const ask = async (question, tokens) => {
    if (tokens) {
      if (!(await page.getByLabel('Longest answer, in tokens').isVisible())) await page.getByText('Model and settings').click()
      await page.getByLabel('Longest answer, in tokens').fill(tokens)
    }
    await page.getByLabel('Your question').fill(question)
    await page.keyboard.press('Enter')
  }
  await ask('What is AITBC?', '48')
  await page.locator('.turn[data-state=done]').waitFor()
  saw.pieces = Number(await attribute('.turn', 'data-pieces'))
  saw.answer = await page.locator('.turn .answer').last().textContent()
  saw.first = await attribute('[data-price]', 'data-price')
  await page.getByText('the receipt is for this answer').waitFor()

  step('its receipt: it holds, and does not with one changed byte')
  await page.getByText('Check the receipt').click()
  await page.locator('.checked[data-signed=true][data-settled=true]').waitFor({ timeout: 90_000 })
  await accessible('an answer with its receipt')
  const download = page.waitForEvent('download')
  await button('Download the receipt').click()
  const file = `${out}/receipt.json`
  await (await download).saveAs(file)
  const bundle = JSON.parse(readFileSync(file, 'utf8'))
  saw.receipt = bundle.receipt_id
  const verdict = async (b, name) => {
    writeFileSync(`${out}/${name}.json`, JSON.stringify(b))
    await page.goto(`${base}/verify`)
    await page.setInputFiles('input[type=file]', `${out}/${name}.json`)
    await page.locator('.checked').waitFor()
    return [await attribute('.checked', 'data-signed'), await attribute('.checked', 'data-settled')]
  }
  saw.whole = await verdict(bundle, 'whole')
  const flip = (hex) => hex.slice(0, -1) + (hex.endsWith('0') ? '1' : '0')
  saw.output = await verdict({ ...bundle, receipt: { ...bundle.receipt, output: flip(bundle.receipt.output) } }, 'output')
  saw.root = await verdict({ ...bundle, settlement: { ...bundle.settlement, merkle_proof: [...(bundle.settlement.merkle_proof ?? []), bundle.receipt_id] } }, 'root')

  step('an answer that is stopped, and one whose page is lost')
  await page.goto(`${base}/play?model=${encodeURIComponent(model)}`)
  await ask('Tell me of miners, coordinators and validators, at length.', '400')
  await page.waitForFunction(() => (document.querySelector('.turn:last-of-type .answer')?.textContent.length ?? 0) > 0 || document.querySelector('.turn[data-state=done]'))
  const stopping = button('Stop')
  if (await stopping.isVisible().catch(() => false)) await stopping.click({ timeout: 2_000 }).catch(() => {})
  await page.locator('.turn[data-state=stopped], .turn[data-state=done]').waitFor()
  saw.stopped = await attribute('.turn', 'data-state')
  saw.second = await attribute('[data-price]', 'data-price')
  await ask('And of receipts?', '200')
  await page.locator('.turn[data-state=queued], .turn[data-state=running], .turn[data-state=done]').last().waitFor()
  await page.reload()

  step('the close')
  await page.waitForFunction(async () => document.querySelector('[data-used]'))
  await button('Close session').click()
  await page.getByText('is closing').waitFor()
  await accessible('a closing session')
  const over = page.locator('.event[data-session]')
  await over.waitFor({ timeout: 120_000 })
  for (const name of ['session', 'deposit', 'paid', 'back']) saw[name] = await over.getAttribute(`data-${name}`)
  saw.asked = wallet.asked
  console.log(JSON.stringify(saw))
} catch (e) {
  console.error(await page.locator('main').innerText().catch(() => ''))
  throw e
} finally {
  await browser.close()
}
