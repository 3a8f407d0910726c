// A developer's way through a contract in the explorer, in a real browser on a real
// network: shows the source, reads, writes through a proxy with a wallet, and is
// refused. It prints what it saw as JSON.
//
//   PRIVATE_KEY=0x… node e2e/contract.mjs http://127.0.0.1:3000 INPUT.json COUNTER PROXY [FOLDER for pictures]
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'
import { addWallet } from './wallet.mjs'

const [base, input, counter, proxy, pictures] = process.argv.slice(2)
const saw = { violations: [], foreign: [], axe: [], wide: [] }
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })
const wallet = await addWallet(context, process.env.PRIVATE_KEY)
const page = await context.newPage()
page.setDefaultTimeout(60_000)
page.on('console', (m) => /Content Security Policy|Trusted/i.test(m.text()) && saw.violations.push(m.text()))
page.on('pageerror', (e) => saw.violations.push(e.message))
page.on('dialog', (d) => saw.violations.push(`markup ran: ${d.message()}`))
page.on('request', (r) => !/^(data|blob):/.test(r.url()) && !r.url().startsWith(`${base}/`) && saw.foreign.push(r.url()))
const step = (text) => console.error(text)
const button = (name, of = page) => of.getByRole('button', { name, exact: true })
const part = (name) => button(name, page.getByRole('group', { name: 'Parts of the contract' })).click()
const called = (name) => page.locator('details.function').filter({ has: page.locator('summary', { hasText: new RegExp(`^${name}\\b`) }) })
/** Has axe look at the page as it is now, wide and narrow, light and dark. */
const look = async (name) => {
  for (const [width, scheme] of [[1280, 'light'], [360, 'dark'], [1280, 'dark'], [360, 'light']]) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize({ width, height: 900 })
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => window.axe.run())
    saw.axe.push(...violations.map((v) => `${name} at ${width}, ${scheme}: ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}`))
    saw.wide.push(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth))
    if (pictures) await page.screenshot({ path: `${pictures}/${name}-${width}-${scheme}.png`, fullPage: true })
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 900 })
}

try {
  step('nothing is verified')
  await page.goto(`${base}/contracts`)
  await page.getByText('Nobody has shown a contract’s source yet').waitFor()
  await page.goto(`${base}/address/${counter}`)
  await page.getByText('Nobody has shown its source here.').waitFor()
  await part('Read')
  await page.getByText('What can be called is not known').waitFor()

  step('the source is shown')
  await part('Verify')
  await page.getByLabel('or its text').fill('{"abi": []}')
  await page.getByText('This has no sources').waitFor()
  await page.getByLabel('File').setInputFiles(input)
  await page.locator('form.verify select').first().selectOption('src/<b>Counter</b>.sol:Maker')
  await button('Verify', page.locator('form.verify')).click()
  await page.getByText('the code is not that of this source').waitFor()
  await look('verify')
  await page.locator('form.verify select').first().selectOption('src/<b>Counter</b>.sol:Counter')
  await button('Verify', page.locator('form.verify')).click()
  await page.getByText('These very files and settings make this very code').waitFor()
  await page.getByText('<script>alert("planted")</script><img src=x onerror=alert(1)>').waitFor()
  await page.getByText('src/<b>Counter</b>.sol').first().waitFor()
  await look('code')

  step('it is read')
  await part('Read')
  await called('most').locator('summary').click()
  await called('most').getByText('1000', { exact: true }).waitFor()
  await called('list').locator('summary').click()
  await called('list').getByText('<i>first</i>', { exact: true }).waitFor()
  const total = called('total')
  await total.locator('summary').click()
  await total.getByLabel(/^values/).fill('[1, nonsense]')
  await total.getByText('is written as JSON').waitFor()
  await total.getByLabel(/^values/).fill('[340282366920938463463374607431768211456, 1]')
  await total.getByLabel(/^extra/).fill(`{"by": "${counter.toLowerCase()}", "height": 18446744073709551615, "note": "ok"}`)
  await button('Ask', total).click()
  await total.getByText('340282366920938463463374607431768211457', { exact: true }).waitFor()
  await total.getByText('-340282366920938463463374607431768211457', { exact: true }).waitFor()
  await total.getByText('0x6f6b', { exact: true }).waitFor()
  await look('read')

  step('it is written through the proxy')
  await page.goto(`${base}/address/${proxy}?contract=write`)
  await page.getByText('hands them on to Counter').waitFor()
  await button('Connect wallet').last().click()
  await button('Test wallet').click()
  await button('Change network').click()
  const increase = called('increase')
  await increase.locator('summary').click()
  await increase.getByLabel(/^by/).fill('1001')
  await increase.getByLabel(/^note/).fill('<u>mine</u>')
  await button('Send', increase).click()
  await increase.getByText('TooMuch(asked 1001, most 1000)').waitFor()
  await increase.getByLabel(/^by/).fill('7')
  await increase.getByLabel('Coins to send with it').fill('1')
  await button('Send', increase).click()
  await increase.getByText('✓ Done').waitFor()
  await increase.getByText('Counted', { exact: true }).waitFor()
  await increase.locator('.notice.done').getByText('<u>mine</u>', { exact: true }).waitFor()
  await look('write')
  const link = increase.locator('.notice.done a[href^="/tx/"]')
  saw.tx = (await link.getAttribute('href')).slice('/tx/'.length)

  step('the transaction is told in its words')
  await link.click()
  await page.getByText('Counter.increase').or(page.getByText('Not found.')).first().waitFor()
  await page.waitForFunction(() => !document.querySelector('.notice[role=alert]') || (location.reload(), false), undefined, { polling: 1_000 }) // the index is a moment behind
  await page.getByText('Counter.increase').waitFor()
  await page.getByText('Counter.Counted').waitFor()
  await look('tx')
  await page.goto(`${base}/contracts`)
  await page.getByRole('table').getByText('Counter', { exact: true }).waitFor()
  await look('contracts')
} catch (e) {
  console.error(await page.locator('main').innerText().catch(() => ''))
  throw e
} finally {
  await browser.close()
}
console.log(JSON.stringify({ ...saw, asked: wallet.asked }))
