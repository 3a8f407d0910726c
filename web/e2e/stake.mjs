// A staker's way through the marketplace: "begin" has the server ask the faucet for an
// account that is empty; "stake" delegates to an operator, takes a part back, and moves
// another part to a second operator; "vote" votes with what is left behind the first
// against the open proposal, and asks the faucet again.
//
//   PRIVATE_KEY=0x… node e2e/stake.mjs http://127.0.0.1:5173 begin|stake|vote [OPERATOR SECOND]
import { chromium } from 'playwright-core'
import { addWallet } from './wallet.mjs'

const [base, what, operator, second] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const context = await browser.newContext({ viewport: { width: 360, height: 800 } })
await addWallet(context, process.env.PRIVATE_KEY)
const page = await context.newPage()
page.setDefaultTimeout(60_000)
page.on('dialog', () => process.exit(3)) // markup ran
const button = (name) => page.getByRole('button', { name, exact: true })
const place = (name) => page.getByRole('navigation').getByRole('link', { name }).click()

try {
  await page.goto(`${base}/faucet`)
  await button('Connect wallet').last().click()
  await button('Test wallet').click()
  await button('Change network').click()
  if (what === 'begin') {
    await button('Give me my first coins').click()
    await button('Later again').waitFor()
  } else if (what === 'stake') {
    await place('Stake')
    await page.getByLabel('Amount, in AITBC').fill('1000000')
    await page.getByText('more than the account has').waitFor()
    await page.getByLabel('Amount, in AITBC').fill('50')
    await button('Delegate').click()
    await page.getByText('50 AITBC are behind the validator.').waitFor()
    await page.getByLabel(/Amount to take back/).fill('10')
    await button('Take back').click()
    await page.getByText('It is on its way back.').waitFor()
    await page.getByRole('heading', { name: 'On its way back' }).waitFor()
    // A part moves on to the other validator, where it stays for a while.
    const behind = (who) => page.locator('.event', { has: page.locator(`[title="${who}" i]`) })
    const move = behind(operator).getByRole('button', { name: 'Move there', exact: true })
    const from = behind(operator).getByLabel(/Amount to take back or to move/)
    await from.fill('1000000')
    await page.waitForFunction(() => document.querySelector('form.inline input')?.getAttribute('aria-invalid') === 'true')
    if (!(await move.isDisabled())) throw new Error('more than there is would be moved')
    await from.fill('10')
    await behind(operator).getByLabel(/Validator to which stake moves/).selectOption(second.toLowerCase())
    await move.click()
    await page.getByText('It is behind the other validator.').waitFor()
    await behind(second).getByRole('button', { name: 'Take back', exact: true }).click()
    await page.getByText('This stake was redelegated').waitFor()
  } else {
    await place('Votes')
    await page.getByText('<b>Raise</b> the fee').waitFor()
    await page.getByRole('button', { name: new RegExp(`^Against, with the stake behind ${operator}`, 'i') }).click()
    await page.getByText('has voted.').waitFor()
    await page.locator('meter[aria-label^="Against: 30 AITBC"]').waitFor()
    await place('Faucet') // by now it gives again, and the account asks itself
    await button('Give me coins').click({ timeout: 90_000 })
    await page.getByText('The coins are yours.').waitFor()
  }
} catch (e) {
  console.error(await page.locator('main').innerText().catch(() => ''))
  throw e
} finally {
  await browser.close()
}
