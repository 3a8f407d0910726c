// What goes wrong for a person at the marketplace, with the wallet that is ours: it is
// on another network, it is locked, the person declines, and the coordinator is away.
// Each ends in a clear state, and no coin is stuck. It prints what it saw as JSON.
// ETH_RPC_URL, EXPLORER_URL, COORDINATOR_URL and MARKETPLACE_URL name the network,
// OTHER_ETH_RPC_URL is of another, and POST to CONTROL_URL/away and /back has the
// coordinator go and come back.
//
//   node e2e/trouble.mjs MODEL
import assert from 'node:assert/strict'
import { createPublicClient, http } from 'viem'
import { launch } from './browser.mjs'
import { addNetwork, address, approval, create, decide, lock, showing, unlock, useNetwork } from './person.mjs'

const { ETH_RPC_URL: rpc, OTHER_ETH_RPC_URL: otherRPC, EXPLORER_URL: explorer, COORDINATOR_URL: coordinator, MARKETPLACE_URL: marketplace, CONTROL_URL: control } = process.env
const model = process.argv[2]
const chain = createPublicClient({ transport: http(rpc) })
const browser = await launch({ width: 1000 })
const { context, url } = browser
const started = Date.now()
const step = (text) => console.error(`${((Date.now() - started) / 1000).toFixed(1)} s  ${text}`)
const saw = { sessions: [] }
let page
const button = (name) => page.getByRole('button', { name, exact: true })
const says = (text) => page.getByText(text).first().waitFor()
/** Clicks, and decides in the wallet's window, which must show a text. */
const decideOn = async (click, text, what) => {
  const { page: window } = await approval(context, click)
  await window.getByText(text).first().waitFor()
  await decide(window, what)
}
const tell = async (what) => {
  const response = await fetch(`${control}/${what}`, { method: 'POST' })
  assert.ok(response.ok, await response.text())
}
const answers = (url) => fetch(`${url}/v1/network`).then((r) => r.ok, () => false)
const until = async (what, f) => {
  for (const end = Date.now() + 90_000; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) if (await f()) return
  throw new Error(`waited in vain for ${what}`)
}
const away = async () => {
  await tell('away')
  await until('the coordinator to be away', async () => !(await answers(coordinator)))
}
const back = async () => {
  await tell('back')
  await until('the coordinator', () => answers(coordinator))
}
/** How many transactions the account has made, and that no window asks for another. */
const made = async (n) => {
  assert.equal(await chain.getTransactionCount({ address: saw.account, blockTag: 'pending' }), n)
  assert.deepEqual(context.pages().filter((p) => p.url().includes('?approve')), [])
}
/** Waits until a session is over, and notes where its coins went. */
const over = async () => {
  const event = page.locator('.event[data-session]').first()
  await page.waitForFunction((n) => Number(document.querySelector('.event[data-session]')?.getAttribute('data-session') ?? 0) > n, Number(saw.sessions.at(-1)?.session ?? 0), { timeout: 120_000 })
  const one = {}
  for (const name of ['session', 'deposit', 'paid', 'back']) one[name] = await event.getAttribute(`data-${name}`)
  saw.sessions.push(one)
}

try {
  step('a wallet with its first coins, then on another network')
  const wallet = context.pages()[0] ?? (await context.newPage())
  await create(wallet, url)
  await addNetwork(wallet, url, { rpc, explorer, coordinator, marketplace })
  saw.account = await address(wallet, url)
  await wallet.goto(url('#/faucet'))
  await wallet.getByText('pays for that').waitFor()
  await wallet.getByRole('button', { name: 'Ask the faucet' }).click()
  await wallet.getByText('pays for that').waitFor({ state: 'detached' })
  saw.given = String(await chain.getBalance({ address: saw.account }))
  await addNetwork(wallet, url, { name: 'Elsewhere', rpc: otherRPC })

  step('the page says so, offers the switch and nothing else')
  page = await context.newPage()
  await page.setViewportSize({ width: 1000, height: 900 })
  await page.goto(`${marketplace}/play?model=${encodeURIComponent(model)}`)
  await button('Connect wallet').last().click()
  await decideOn(() => page.getByRole('button', { name: 'AITBC Wallet' }).click(), new URL(marketplace).host, 'Connect')
  await says('Your wallet is on another network')
  assert.equal(await button('Deposit and begin').count(), 0)
  await decideOn(() => button('Change network').click(), 'Switch the network?', 'Reject')
  await says('You declined.')
  assert.equal(await button('Deposit and begin').count(), 0)
  await decideOn(() => button('Change network').click(), 'Switch the network?', 'Switch')
  await button('Deposit and begin').waitFor()
  await made(0)

  step('the network is changed in the wallet, beneath the page')
  await useNetwork(wallet, url, 'Elsewhere')
  await says('Your wallet is on another network')
  await useNetwork(wallet, url, 'Test network')
  await button('Deposit and begin').waitFor()

  step('the wallet is locked beneath the page')
  await lock(wallet, url)
  await says('The wallet shows this page no account.')
  assert.equal(await button('Deposit and begin').count(), 0)
  await button('Connect wallet').last().click()
  {
    const { page: window } = await approval(context, () => page.getByRole('button', { name: 'AITBC Wallet' }).click())
    await window.getByRole('heading', { name: 'Unlock the wallet' }).waitFor()
    await window.close() // not now
    await says('You declined.')
    const { page: second } = await approval(context, () => page.getByRole('button', { name: 'AITBC Wallet' }).click())
    const closed = second.waitForEvent('close')
    await unlock(second)
    await closed
  }
  await button('Deposit and begin').waitFor()

  step('a deposit is declined')
  const deposit = async () => {
    await page.getByLabel('Deposit, in AITBC').fill('2.5')
    await button('Deposit and begin').click()
  }
  await decideOn(deposit, /Lock 2.5 AITBC/, 'Reject')
  await says('You declined.')
  await button('Close').click()
  await made(0)

  step('the coordinator is away: nothing is deposited')
  await away()
  await deposit()
  await says('The service does not answer.')
  await button('Close').click()
  await made(0)
  await back()

  step('it goes after the deposit: all of it comes back without it')
  {
    const { page: window } = await approval(context, deposit)
    await window.getByText(/Lock 2.5 AITBC/).first().waitFor()
    await window.getByRole('button', { name: 'Sign and send', exact: true }).click()
  }
  const key = await showing(context, /API key that spends session/)
  await away()
  await decide(key, 'Sign')
  await says('The service does not answer.')
  await says(/has no API key/)
  await button('Close').click()
  await decideOn(() => button('Close the session').click(), /[Cc]lose/, 'Sign and send')
  await says('is closing')
  await over()
  await made(2)
  await back()

  step('it goes between two answers: the page says so, and the session is closed when it is back')
  {
    const { page: window } = await approval(context, deposit)
    await window.getByText(/Lock 2.5 AITBC/).first().waitFor()
    await window.getByRole('button', { name: 'Sign and send', exact: true }).click()
    await decide(await showing(context, /API key that spends session/), 'Sign')
  }
  await button('Close session').waitFor()
  await page.getByLabel('Your question').fill('What is AITBC?')
  await page.keyboard.press('Enter')
  await page.locator('.turn[data-state=done]').waitFor()
  saw.price = await page.locator('[data-price]').last().getAttribute('data-price')
  await away()
  await page.getByLabel('Your question').fill('And what is a miner?')
  await page.keyboard.press('Enter')
  await page.locator('.turn[data-state=failed]').getByText('The service does not answer.').waitFor()
  await back()
  await decideOn(() => button('Close session').click(), /[Cc]lose/, 'Sign and send')
  await says('is closing')
  await over()
  await made(4)
  console.log(JSON.stringify(saw))
} catch (e) {
  for (const p of context.pages()) console.error(p.url(), await p.locator('body').innerText().catch(() => ''))
  throw e
} finally {
  await browser.close()
}
