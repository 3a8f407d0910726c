// What a person does with the wallet's pages.

export const passphrase = 'correct horse battery'

/** Creates a wallet and returns its phrase. */
export async function create(page, url) {
  await page.goto(url('#/create'))
  await page.getByRole('button', { name: 'Show the words' }).click()
  const words = await page.locator('ol.words li').allInnerTexts()
  await page.getByRole('button', { name: 'I have written them down' }).click()
  for (const label of await page.locator('.field label').allInnerTexts()) {
    const n = Number(label.replace('Word ', ''))
    await page.getByLabel(label, { exact: true }).fill(words[n - 1])
  }
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByLabel('New passphrase', { exact: true }).fill(passphrase)
  await page.getByLabel('The same again', { exact: true }).fill(passphrase)
  await page.getByRole('button', { name: 'Create the wallet' }).click()
  await page.getByRole('link', { name: 'Receive' }).waitFor()
  return words.join(' ')
}

/** Adds the network under test, or another, and uses it. */
export async function addNetwork(page, url, { name = 'Test network', rpc, explorer = '', coordinator = '', marketplace = '' }) {
  await page.goto(url('#/settings/networks/new'))
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Node (Ethereum JSON-RPC)').fill(rpc)
  await page.getByLabel('Explorer').fill(explorer)
  await page.getByLabel('Coordinator').fill(coordinator)
  await page.getByLabel('Marketplace').fill(marketplace)
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('radio', { name: new RegExp(name), checked: true }).waitFor()
}

/** Uses a network that the wallet knows. */
export async function useNetwork(page, url, name) {
  await page.goto(url('#/settings/networks'))
  await page.getByRole('radio', { name: new RegExp(name) }).click()
  await page.getByRole('radio', { name: new RegExp(name), checked: true }).waitFor()
}

/** The address of the account in use. */
export async function address(page, url) {
  await page.goto(url('#/receive'))
  return page.locator('.id.whole').first().innerText()
}

export async function unlock(page, word = passphrase) {
  await page.getByLabel('Passphrase', { exact: true }).fill(word)
  await page.getByRole('button', { name: 'Unlock', exact: true }).click()
}

export async function lock(page, url) {
  await page.goto(url())
  await page.getByRole('button', { name: 'Lock the wallet' }).click()
  await page.getByRole('heading', { name: 'Unlock the wallet' }).waitFor()
}

/** Waits for the approval window that what is begun opens. */
export async function approval(context, begin) {
  const opened = context.waitForEvent('page', (p) => p.url().includes('?approve'))
  const done = begin()
  const page = await opened
  await page.setViewportSize({ width: 420, height: 700 })
  return { page, done }
}

/** Says yes or no in the approval window, and waits until it closes. One that stays open tells what it shows. */
export async function decide(page, name) {
  const closed = page.waitForEvent('close')
  await page.getByRole('button', { name, exact: true }).click()
  await closed.catch(async (e) => {
    throw new Error(`after ${name} the window stays: ${await page.locator('body').innerText().catch(String)}`, { cause: e })
  })
}

/** The approval window with a text: what comes next may be shown in the one that is open, or in another. */
export async function showing(context, text) {
  for (const until = Date.now() + 60_000; Date.now() < until; await new Promise((r) => setTimeout(r, 50))) {
    for (const p of context.pages()) if (p.url().includes('?approve') && (await p.getByText(text).first().isVisible().catch(() => false))) return p
  }
  throw new Error(`no window shows ${text}`)
}
