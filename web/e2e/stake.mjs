// A staker's way through the marketplace: "begin" has the server ask the faucet for an
// account that is empty; "stake" delegates and takes a part back; "vote" votes against
// the open proposal, and asks the faucet again.
//
//   PRIVATE_KEY=0x… node e2e/stake.mjs http://127.0.0.1:5173 begin|stake|vote
import { chromium } from 'playwright-core'
import { addWallet } from './wallet.mjs'

const [base, what] = process.argv.slice(2)
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
  } else {
    await place('Votes')
    await page.getByText('<b>Raise</b> the fee').waitFor()
    await page.getByRole('button', { name: /^Against, with the stake behind/ }).click()
    await page.getByText('has voted.').waitFor()
    await page.locator('meter[aria-label^="Against: 40 AITBC"]').waitFor()
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
