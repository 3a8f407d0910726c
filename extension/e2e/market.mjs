// The whole way of a person who has nothing: the browser wallet is made, takes its
// first test coins, connects to the marketplace, deposits, is answered, checks the
// receipt, and closes. Every yes is one in the wallet's own windows. It prints what
// it saw as JSON. ETH_RPC_URL, EXPLORER_URL, COORDINATOR_URL and MARKETPLACE_URL
// name the network.
//
//   node e2e/market.mjs MODEL
import { launch } from './browser.mjs'
import { addNetwork, address, approval, create, decide, lock, passphrase, showing, unlock } from './person.mjs'

const { ETH_RPC_URL: rpc, EXPLORER_URL: explorer, COORDINATOR_URL: coordinator, MARKETPLACE_URL: marketplace } = process.env
const model = process.argv[2]
const browser = await launch({ width: 1000 })
const { context, url } = browser
const started = Date.now()
const step = (text) => console.error(`${((Date.now() - started) / 1000).toFixed(1)} s  ${text}`)
const saw = {}
let page
const button = (name) => page.getByRole('button', { name, exact: true })
const last = (selector, name) => page.locator(selector).last().getAttribute(name)
/** Clicks, and says yes in the wallet's window, which must show a text. */
const agree = async (click, text, yes = 'Sign') => {
  const { page: window, done } = await approval(context, click)
  await window.getByText(text).first().waitFor()
  await decide(window, yes)
  await done
}

try {
  step('a wallet with its first coins')
  const wallet = context.pages()[0] ?? (await context.newPage())
  await create(wallet, url)
  await addNetwork(wallet, url, { rpc, explorer, coordinator, marketplace })
  saw.account = await address(wallet, url)
  await wallet.goto(url('#/faucet'))
  await wallet.getByText('pays for that').waitFor()
  await wallet.getByRole('button', { name: 'Ask the faucet' }).click()
  await wallet.getByText('pays for that').waitFor({ state: 'detached' })

  step('it is locked, and the marketplace waits for it')
  await lock(wallet, url)
  page = await context.newPage()
  await page.setViewportSize({ width: 1000, height: 900 })
  await page.goto(`${marketplace}/play?model=${encodeURIComponent(model)}`)
  await button('Connect wallet').last().click()
  {
    const { page: window } = await approval(context, () => page.getByRole('button', { name: 'AITBC Wallet' }).click())
    await unlock(window, passphrase)
    await window.getByText(new URL(marketplace).host).first().waitFor()
    await decide(window, 'Connect')
  }

  step('a deposit: declined, then made')
  await button('Deposit and begin').waitFor()
  await page.getByLabel('Deposit, in AITBC').fill('2.5')
  {
    const { page: window } = await approval(context, () => button('Deposit and begin').click())
    await window.getByText(/Lock 2.5 AITBC/).first().waitFor()
    await decide(window, 'Reject')
    await page.getByText('You declined.', { exact: true }).waitFor()
    await button('Close').click()
  }
  await page.getByLabel('Deposit, in AITBC').fill('2.5')
  const { page: deposit } = await approval(context, () => button('Deposit and begin').click())
  await deposit.getByText(/Lock 2.5 AITBC/).first().waitFor()
  await deposit.getByRole('button', { name: 'Sign and send', exact: true }).click()
  await decide(await showing(context, /API key that spends session/), 'Sign')
  await button('Close session').waitFor()

  step('an answer, and its receipt')
  await page.getByLabel('Your question').fill('What is AITBC?')
  await page.keyboard.press('Enter')
  await page.locator('.turn[data-state=done]').waitFor()
  saw.price = await last('[data-price]', 'data-price')
  await page.getByText('Check the receipt').click()
  await page.locator('.checked[data-signed=true][data-settled=true]').waitFor({ timeout: 90_000 })

  step('the close')
  await agree(() => button('Close session').click(), /[Cc]lose/, 'Sign and send')
  await page.getByText('is closing').waitFor()
  const over = page.locator('.event[data-session]')
  await over.waitFor({ timeout: 120_000 })
  for (const name of ['session', 'deposit', 'paid', 'back']) saw[name] = await over.getAttribute(`data-${name}`)
  console.log(JSON.stringify(saw))
} catch (e) {
  for (const p of context.pages()) console.error(p.url(), await p.locator('body').innerText().catch(() => ''))
  throw e
} finally {
  await browser.close()
}
