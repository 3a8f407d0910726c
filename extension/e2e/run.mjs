// The wallet in a real browser on a real network, from the first word of its
// phrase to a payment that the worker's death could not double. The network is
// named by the environment: ETH_RPC_URL, EXPLORER_URL, COORDINATOR_URL and
// MARKETPLACE_URL.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createPublicClient, encodeFunctionData, getAddress, http, parseAbi, recoverTypedDataAddress, recoverMessageAddress, parseEther } from 'viem'
import { launch, stopWorker } from './browser.mjs'
import { ask, serve } from './dapp.mjs'
import { forgetful } from './forgetful.mjs'
import { addNetwork, address, approval, create, decide, lock, passphrase, unlock } from './person.mjs'

const { ETH_RPC_URL: rpc, EXPLORER_URL: explorer, COORDINATOR_URL: coordinator, MARKETPLACE_URL: marketplace } = process.env
const chain = createPublicClient({ transport: http(rpc), pollingInterval: 100 })
const chainId = await chain.getChainId()
const market = '0x000000000000000000000000000000000000a102'
const stranger = getAddress(`0x${randomBytes(20).toString('hex')}`)

const browser = await launch()
const site = await serve()
const node = await forgetful(rpc)
const { context, url } = browser
const started = Date.now()
const step = (text) => console.error(`${((Date.now() - started) / 1000).toFixed(1)} s  ${text}`)

const pay = (value) => [{ from: me, to: stranger, value: `0x${value.toString(16)}` }]
const nonce = () => chain.getTransactionCount({ address: me })
const mined = (hash) => chain.waitForTransactionReceipt({ hash })

step('a wallet is made, and its phrase confirmed')
const wallet = context.pages()[0] ?? (await context.newPage())
await create(wallet, url)
await addNetwork(wallet, url, { rpc: node.url, explorer, coordinator, marketplace })
const me = await address(wallet, url)

step('the faucet')
await wallet.goto(url('#/faucet'))
await wallet.getByText('pays for that').waitFor() // the account has nothing to pay with
await wallet.getByRole('button', { name: 'Ask the faucet' }).click()
await wallet.getByText('pays for that').waitFor({ state: 'detached' })
assert.ok((await chain.getBalance({ address: me })) > 0n)
assert.equal(await nonce(), 0)

step('a site finds the wallet, and is nobody to it')
const page = await context.newPage()
await page.goto(site.url)
await page.waitForFunction(() => window.wallet)
assert.deepEqual(await page.evaluate(() => [...new Set(window.found.map((f) => f.name))]), ['AITBC Wallet'])
assert.ok(await page.evaluate(() => window.ethereum === window.aitbc && window.aitbc === window.wallet))
assert.deepEqual(await ask(page, 'eth_chainId'), { result: `0x${chainId.toString(16)}` })
assert.deepEqual(await ask(page, 'eth_accounts'), { result: [] })
for (const [method, params, code] of [
  ['eth_sendTransaction', pay(1n), 4100], ['eth_blockNumber', [], 4100], ['eth_sign', [me, '0x'], 4200], ['nothing_like_this', [], 4200],
  ['wallet_switchEthereumChain', [{ chainId: '0x1' }], 4902], ['wallet_switchEthereumChain', [{}], -32602],
]) assert.equal((await ask(page, method, params)).code, code, method)

step('it connects')
{
  const { page: window, done } = await approval(context, () => ask(page, 'eth_requestAccounts'))
  await window.getByText(site.url).waitFor()
  await decide(window, 'Connect')
  assert.deepEqual(await done, { result: [me] })
}
assert.deepEqual(await ask(page, 'eth_accounts'), { result: [me] })
assert.match((await ask(page, 'eth_blockNumber')).result, /^0x/)

step('it is paid from, and a rejected payment is 4001')
{
  const before = await nonce()
  const { page: window, done } = await approval(context, () => ask(page, 'eth_sendTransaction', pay(parseEther('0.25'))))
  await window.getByRole('heading', { name: `Send 0.25 AITBC to ${stranger}` }).waitFor()
  await decide(window, 'Sign and send')
  const { result } = await done
  assert.equal((await mined(result)).status, 'success')
  const { page: other, done: refused } = await approval(context, () => ask(page, 'eth_sendTransaction', pay(1n)))
  await decide(other, 'Reject')
  assert.equal((await refused).code, 4001)
  const { page: third, done: closed } = await approval(context, () => ask(page, 'eth_sendTransaction', pay(1n)))
  await third.close()
  assert.equal((await closed).code, 4001)
  assert.equal(await nonce(), before + 1)
}

step('a session is opened: the deposit says to whom it goes')
{
  const { coordinator: at } = await (await fetch(`${coordinator}/v1/network`)).json()
  const abi = parseAbi(['function openSession(address coordinator, address spender, uint64 expiry) payable returns (uint64)'])
  const data = encodeFunctionData({ abi, functionName: 'openSession', args: [at, me, BigInt(Math.floor(Date.now() / 1000) + 3600)] })
  const { page: window, done } = await approval(context, () => ask(page, 'eth_sendTransaction', [{ from: me, to: market, data, value: `0x${parseEther('1').toString(16)}` }]))
  await window.getByRole('heading', { name: /Lock 1 AITBC for jobs at the coordinator/ }).waitFor()
  await decide(window, 'Sign and send')
  assert.equal((await mined((await done).result)).status, 'success')
  // The same to a coordinator that is none: the contract's refusal is explained before there is anything to sign.
  const bad = encodeFunctionData({ abi, functionName: 'openSession', args: [stranger, me, BigInt(Math.floor(Date.now() / 1000) + 3600)] })
  const { page: second, done: never } = await approval(context, () => ask(page, 'eth_sendTransaction', [{ from: me, to: market, data: bad, value: '0x1' }]))
  await second.getByText('It would fail. The contract refuses').waitFor()
  assert.ok(await second.getByRole('button', { name: 'Sign and send' }).isDisabled())
  await decide(second, 'Reject')
  assert.equal((await never).code, 4001)
}

step('an order is signed')
const order = {
  domain: { name: 'AITBC', version: '1', chainId, verifyingContract: market },
  types: { Order: ['session:uint64', 'number:uint64', 'model:bytes32', 'class:bytes32', 'input:bytes32', 'miners:bytes32', 'maxPrice:uint128', 'deadline:uint64'].map((f) => ({ name: f.split(':')[0], type: f.split(':')[1] })) },
  primaryType: 'Order',
  message: { session: 4, number: 7, model: `0x${'01'.repeat(32)}`, class: `0x${'00'.repeat(32)}`, input: `0x${'02'.repeat(32)}`, miners: `0x${'00'.repeat(32)}`, maxPrice: '2000000000000000000', deadline: 1900000000 },
}
{
  const { page: window, done } = await approval(context, () => ask(page, 'eth_signTypedData_v4', [me, JSON.stringify(order)]))
  await window.getByRole('heading', { name: 'Order job 7 of session 4 for at most 2 AITBC, until 2030-03-17 17:46:40Z' }).waitFor()
  await decide(window, 'Sign')
  assert.equal(await recoverTypedDataAddress({ ...order, signature: (await done).result }), me)
}

step('what cannot be shown, what is for others, is refused')
const permit = { domain: { name: 'Coin' }, types: { Permit: [{ name: 'spender', type: 'address' }] }, primaryType: 'Permit', message: { spender: stranger } }
const login = (domain) => `${domain} wants you to sign in with your Ethereum account:\n${me}\n\n\nURI: ${site.url}\nVersion: 1\nChain ID: ${chainId}\nNonce: abcdefgh1\nIssued At: ${new Date().toISOString()}`
for (const [method, params, code] of [
  ['eth_signTypedData_v4', [me, JSON.stringify(permit)], 4100],
  ['eth_sendTransaction', [{ from: me, to: stranger, data: '0xdeadbeef' }], 4100],
  ['eth_signTypedData_v4', [me, JSON.stringify({ ...order, domain: { ...order.domain, chainId: 1 } })], -32602],
  ['personal_sign', [login('bank.example'), me], -32602],
  ['personal_sign', ['hello', stranger], 4100],
  ['eth_sendTransaction', [{ from: me, to: stranger, strange: 1 }], -32602],
]) assert.equal((await ask(page, method, params)).code, code, `${method} ${JSON.stringify(params)}`)
{
  const message = login(new URL(site.url).host)
  const { page: window, done } = await approval(context, () => ask(page, 'personal_sign', [message, me]))
  await decide(window, 'Sign in')
  assert.equal(await recoverMessageAddress({ message, signature: (await done).result }), me)
}

step('locked, the site sees nothing, and asks behind the lock')
await lock(wallet, url)
await page.waitForFunction(() => window.heard.some(([name, payload]) => name === 'accountsChanged' && payload.length === 0))
assert.deepEqual(await ask(page, 'eth_accounts'), { result: [] })

step('the worker is stopped in the middle of an approval: it lands, once')
{
  const before = await nonce()
  const { page: window, done } = await approval(context, () => ask(page, 'eth_sendTransaction', pay(parseEther('0.5'))))
  await window.getByRole('heading', { name: 'Unlock the wallet' }).waitFor()
  await unlock(window)
  await window.getByRole('heading', { name: /Send 0.5 AITBC/ }).waitFor()
  await stopWorker(browser, window)
  const key = await window.evaluate(async () => (await chrome.storage.session.get('requests')).requests[0].key)
  const digest = await window.locator('dl.all dd').last().textContent()
  await decide(window, 'Sign and send')
  const { result } = await done
  assert.equal((await mined(result)).status, 'success')
  // A yes that comes twice, as from a page that lost its answer, is one.
  await wallet.evaluate(([key, digest]) => chrome.runtime.sendMessage({ command: 'approve', args: [key, digest, []] }), [key, digest])
  await stopWorker(browser, wallet)
  await ask(page, 'eth_accounts')
  assert.equal(await nonce(), before + 1)
  assert.equal(await chain.getBalance({ address: stranger }), parseEther('0.75'))
}

step('the worker is stopped right after the yes: it lands, once')
const stops = [0, 15, 30, 60, 100] // milliseconds after the yes
for (const after of stops) {
  const before = await nonce()
  const { page: window, done } = await approval(context, () => ask(page, 'eth_sendTransaction', pay(1n)))
  await window.getByRole('heading', { name: /Send / }).waitFor()
  await window.locator('button.primary:enabled').waitFor()
  const closed = decide(window, 'Sign and send')
  await new Promise((r) => setTimeout(r, after))
  await stopWorker(browser, wallet)
  await closed
  assert.equal((await mined((await done).result)).status, 'success')
  assert.equal(await nonce(), before + 1)
}

step('its own payment, with its state in the history')
await wallet.goto(url('#/send'))
await wallet.getByLabel('To').fill('0x12')
await wallet.getByLabel('Amount in AITBC').fill('0.125')
await wallet.getByRole('button', { name: 'Look at it' }).click()
await wallet.getByText('An address is 0x and 40 hex digits').waitFor()
await wallet.getByLabel('To').fill(stranger)
await wallet.getByRole('button', { name: 'Look at it' }).click()
await wallet.getByRole('button', { name: 'Sign and send' }).click()
await wallet.getByText('It is on its way').waitFor()
await wallet.goto(url('#/history'))
await wallet.locator('li', { hasText: 'Send 0.125 AITBC' }).getByText('in a block').waitFor()
await wallet.locator('li', { hasText: 'drip' }).first().waitFor() // others sent it: only the explorer knows

step('one that waits is sped up, and another cancelled')
for (const [press, title, sum] of [['Speed up', /Send 0.0625 AITBC/, '0.0625'], ['Cancel it', new RegExp(`Send 0 AITBC to ${me}`), '0']]) {
  const before = await nonce()
  const had = await chain.getBalance({ address: stranger })
  node.forgetful = true
  await wallet.goto(url('#/send'))
  await wallet.getByLabel('To').fill(stranger)
  await wallet.getByLabel('Amount in AITBC').fill('0.0625')
  await wallet.getByRole('button', { name: 'Look at it' }).click()
  await wallet.getByRole('button', { name: 'Sign and send' }).click()
  await wallet.getByText('It is on its way').waitFor()
  node.forgetful = false
  await wallet.goto(url('#/history'))
  const first = wallet.locator('li', { hasText: 'Send 0.0625 AITBC' }).first()
  await first.getByText('waits for a block').waitFor()
  await first.getByRole('button').first().click()
  await first.getByRole('button', { name: press, exact: true }).click()
  await wallet.getByRole('heading', { name: title }).waitFor()
  await wallet.getByRole('button', { name: 'Sign and send' }).click()
  await wallet.getByText('It is on its way').waitFor()
  await wallet.getByRole('link', { name: 'Back' }).click()
  await wallet.locator('li', { hasText: title }).first().getByText('in a block').waitFor()
  assert.equal(await nonce(), before + 1, press)
  assert.equal(await chain.getBalance({ address: stranger }), had + parseEther(sum), press)
  await wallet.locator('li').getByText('replaced').first().waitFor()
}

step('a site that is disconnected is a stranger again')
await wallet.goto(url('#/settings/sites'))
await wallet.getByRole('button', { name: `Disconnect ${site.url}` }).click()
await wallet.getByText('No site is connected').waitFor()
assert.deepEqual(await ask(page, 'eth_accounts'), { result: [] })
assert.equal((await ask(page, 'eth_sendTransaction', pay(1n))).code, 4100)

step('wrong passphrases have to wait, also after the worker was stopped')
await lock(wallet, url)
for (let n = 1; n <= 6; n++) {
  await unlock(wallet, `wrong ${n}`)
  await wallet.getByRole('button', { name: 'Opening…' }).waitFor()
  await wallet.getByRole('button', { name: 'Unlock', exact: true }).waitFor()
  assert.equal(await wallet.evaluate(async () => (await chrome.storage.local.get('attempts')).attempts.failed), n)
}
await wallet.getByText('Too many wrong passphrases').waitFor()
await stopWorker(browser, wallet)
assert.ok((await wallet.evaluate(() => chrome.runtime.sendMessage({ command: 'status', args: [] }))).value.wait > 0)

step('the script beside a page cannot read what the wallet keeps')
{
  const cdp = await context.newCDPSession(page)
  const world = new Promise((resolve) => cdp.on('Runtime.executionContextCreated', ({ context: c }) => c.name === 'AITBC Wallet' && resolve(c.id)))
  await cdp.send('Runtime.enable')
  for (const area of ['session', 'local']) {
    const { result } = await cdp.send('Runtime.evaluate', { contextId: await world, awaitPromise: true, expression: `chrome.storage.${area}.get(null).then(() => 'read', (e) => e.message)` })
    assert.match(result.value, /not allowed/, area)
  }
}

step('nothing of the secrets is where pages or disks could see it')
const stored = JSON.stringify(await wallet.evaluate(() => Promise.all([chrome.storage.local.get(null), chrome.storage.session.get(null), { ...localStorage }])))
assert.ok(!stored.includes(passphrase) && !stored.includes('"entropy"'))

await browser.close()
site.close()
node.close()
console.log(JSON.stringify({ account: me, sent: 6 + stops.length }))
