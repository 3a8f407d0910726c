// Looks at every page of the wallet, as wide as a popup and as narrow as 360
// pixels, light and dark: writes what it saw, and fails if axe finds a violation,
// if a page is wider than its window, or if the content policy refused anything.
// The network is named by the environment, as for run.mjs.
//
//   node e2e/look.mjs screenshots
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { launch } from './browser.mjs'
import { ask, serve } from './dapp.mjs'
import { forgetful } from './forgetful.mjs'
import { addNetwork, address, approval, create, decide, passphrase, unlock } from './person.mjs'

const [out] = process.argv.slice(2)
if (!out) {
  console.error('usage: node e2e/look.mjs FOLDER')
  process.exit(2)
}
mkdirSync(out, { recursive: true })
const { ETH_RPC_URL: rpc, EXPLORER_URL: explorer, COORDINATOR_URL: coordinator, FAUCET: faucet } = process.env
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let bad = 0
let seen = 0
const complain = (text) => {
  bad++
  console.error(text)
}

const browser = await launch()
const site = await serve()
const node = await forgetful(rpc)
const { context, url } = browser
context.on('page', watch)
function watch(page) {
  page.on('console', (m) => /Content Security Policy|Trusted/i.test(m.text()) && complain(`${page.url()}: ${m.text()}`))
  page.on('pageerror', (e) => page.url().startsWith('chrome-extension') && complain(`${page.url()}: ${e.message}`))
}

/** Looks at a page as it stands. */
async function look(page, name) {
  await page.waitForFunction(() => document.querySelector('h1, .notice, .empty') && !document.querySelector('.waiting'), undefined, { timeout: 30_000 })
  for (const scheme of ['light', 'dark']) {
    for (const width of [360, 420]) {
      seen++
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width, height: 640 })
      await page.setViewportSize({ width, height: Math.max(640, await page.evaluate(() => document.documentElement.scrollHeight)) })
      await page.screenshot({ path: `${out}/${name}-${width}-${scheme}.png` })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      if (wide > 0) complain(`${name} at ${width}: ${wide} px wider than the window`)
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => window.axe.run())
      for (const v of violations) complain(`${name} at ${width}, ${scheme}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}`)
    }
  }
}

const wallet = context.pages()[0] ?? (await context.newPage())
watch(wallet)
const go = async (path, name) => {
  await wallet.goto(url(path))
  await look(wallet, name)
}

await go('', 'welcome')
await go('?popup', 'popup-outside')
await go('#/import', 'import')
await wallet.goto(url('#/create'))
await look(wallet, 'create')
await wallet.getByRole('button', { name: 'Show the words' }).click()
await look(wallet, 'create-words')
await wallet.getByRole('button', { name: 'I have written them down' }).click()
await wallet.getByRole('button', { name: 'Go on' }).click()
await look(wallet, 'create-confirm-wrong')
await wallet.goto('about:blank')
await create(wallet, url)
await look(wallet, 'home-offline')
await addNetwork(wallet, url, { rpc: node.url, explorer, coordinator })
const me = await address(wallet, url)
await go('', 'home-empty')
await go('#/faucet', 'faucet-nothing')
assert.equal(await wallet.locator('.command code').innerText(), `aitbc faucet ${me}`)
const [program, ...args] = faucet.split(' ')
execFileSync(program, [...args, me], { stdio: 'ignore' })
await wallet.getByText('Ask the faucet').waitFor()
await look(wallet, 'faucet')
await go('#/send', 'send')
await wallet.getByRole('button', { name: 'Look at it' }).click()
await look(wallet, 'send-wrong')
await wallet.getByLabel('To').fill('0x00000000000000000000000000000000000000b0')
await wallet.getByLabel('Amount in AITBC').fill('1.5')
await wallet.getByRole('button', { name: 'Look at it' }).click()
await wallet.locator('.decide .primary:enabled').waitFor()
await look(wallet, 'send-review')
await wallet.getByRole('button', { name: 'Sign and send' }).click()
await wallet.getByText('It is on its way').waitFor()
await look(wallet, 'sent')
await go('?popup', 'home')
await go('#/receive', 'receive')
await wallet.goto(url('#/history'))
await wallet.getByText('Send 1.5 AITBC').click()
await look(wallet, 'history')
node.forgetful = true
await wallet.goto(url('#/send'))
await wallet.getByLabel('To').fill('0x00000000000000000000000000000000000000b0')
await wallet.getByLabel('Amount in AITBC').fill('0.75')
await wallet.getByRole('button', { name: 'Look at it' }).click()
await wallet.getByRole('button', { name: 'Sign and send' }).click()
await wallet.getByText('It is on its way').waitFor()
node.forgetful = false
await wallet.goto(url('#/history'))
for (const [name, press, then] of [['waits-faster', 'Speed up', 'Leave it'], ['waits-cancel', 'Cancel it', 'Sign and send']]) {
  await wallet.getByText('Send 0.75 AITBC').click()
  await wallet.getByRole('button', { name: press, exact: true }).waitFor()
  if (press === 'Speed up') await look(wallet, 'waits')
  await wallet.getByRole('button', { name: press, exact: true }).click()
  await wallet.locator('.decide .primary:enabled').waitFor()
  await look(wallet, name)
  await wallet.getByRole('button', { name: then, exact: true }).click()
  await wallet.getByRole('heading', { name: /(Not sent|Sent)$/ }).waitFor()
  await wallet.getByRole('link', { name: 'Back' }).click()
}
await wallet.getByText('replaced').click()
await look(wallet, 'waits-replaced')

const page = await context.newPage()
await page.goto(site.url)
await page.waitForFunction(() => window.wallet)
async function asked(name, method, params, answer) {
  const { page: window, done } = await approval(context, () => ask(page, method, params))
  watch(window)
  await window.locator('.decide .primary:enabled').waitFor()
  await look(window, name)
  await decide(window, answer)
  return done
}
await asked('approve-connect', 'eth_requestAccounts', [], 'Connect')
await asked('approve-payment', 'eth_sendTransaction', [{ from: me, to: '0x00000000000000000000000000000000000000b0', value: '0x6f05b59d3b20000' }], 'Reject')
const chainId = parseInt((await ask(page, 'eth_chainId')).result, 16)
await asked('approve-call', 'eth_sendTransaction', [{ from: me, to: '0x000000000000000000000000000000000000a109', data: `0x67a5cd06${'0'.repeat(24)}${'b0'.padStart(40, '0')}` }], 'Reject')
const order = {
  domain: { name: 'AITBC', version: '1', chainId, verifyingContract: '0x000000000000000000000000000000000000a102' },
  types: { Voucher: [{ name: 'session', type: 'uint64' }, { name: 'through', type: 'uint64' }, { name: 'cumulative', type: 'uint128' }] },
  primaryType: 'Voucher', message: { session: 4, through: 7, cumulative: '2000000000000000000' },
}
await asked('approve-voucher', 'eth_signTypedData_v4', [me, JSON.stringify(order)], 'Reject')
await asked('approve-message', 'personal_sign', [`Hello.\n\nThis is text of the site’s, \u{1F642} and it may be long. `.repeat(12), me], 'Reject')
await asked('approve-login', 'personal_sign', [`${new URL(site.url).host} wants you to sign in with your Ethereum account:\n${me}\n\nShow me my jobs.\n\nURI: ${site.url}\nVersion: 1\nChain ID: ${chainId}\nNonce: abcdefgh1\nIssued At: 2026-11-26T00:00:00Z`, me], 'Reject')
await asked('approve-add', 'wallet_addEthereumChain', [{ chainId: '0x539', chainName: 'Some \u202e network', rpcUrls: ['https://rpc.example'] }], 'Reject')

for (const [path, name] of [
  ['#/settings', 'settings'], ['#/settings/accounts', 'accounts'], [`#/settings/accounts/${me}`, 'account'], ['#/settings/import', 'import-more'], ['#/settings/networks', 'networks'],
  ['#/settings/networks/new', 'network-new'], ['#/settings/sites', 'sites'], ['#/settings/phrase', 'phrase'], ['#/settings/passphrase', 'passphrase'],
]) await go(path, name)
await wallet.goto(url('#/settings/phrase'))
await wallet.getByLabel('Passphrase', { exact: true }).fill(passphrase)
await wallet.getByRole('button', { name: 'Show the phrase' }).click()
await wallet.locator('ol.words').waitFor()
await look(wallet, 'phrase-shown')
await wallet.goto(url('#/settings'))
await wallet.getByText('Allow blind signing').click()
await wallet.getByText('Blind signing is on').waitFor()
await look(wallet, 'settings-blind')
await asked('approve-blind', 'eth_sendTransaction', [{ from: me, to: '0x00000000000000000000000000000000000000b0', data: '0xdeadbeef' }], 'Reject')
await asked('approve-permit', 'eth_signTypedData_v4', [me, JSON.stringify({ domain: { name: 'Coin', chainId }, types: { Permit: [{ name: 'spender', type: 'address' }, { name: 'value', type: 'uint256' }] }, primaryType: 'Permit', message: { spender: me, value: '1000' } })], 'Reject')
await wallet.goto(url())
await wallet.getByRole('button', { name: 'Lock the wallet' }).click()
await look(wallet, 'locked')
await unlock(wallet, 'wrong')
await wallet.getByText('The passphrase is wrong').waitFor()
await look(wallet, 'locked-wrong')
await wallet.getByText('I have lost the passphrase').click()
await look(wallet, 'lost')

await browser.close()
site.close()
node.close()
console.log(`${seen} looks, ${bad} complaints`)
process.exit(bad > 0 ? 1 : 0)
