// A Chromium with the built extension, as a person would have it.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const unpacked = fileURLToPath(new URL('../dist/unpacked', import.meta.url))

/** Starts the browser; close() ends it and removes its profile. */
export async function launch({ width = 420, height = 760, scheme = 'light' } = {}) {
  if (!existsSync(join(unpacked, 'manifest.json'))) throw new Error('the extension is not built: npm run build')
  const profile = mkdtempSync(join(tmpdir(), 'aitbc-extension-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: false, // the old headless mode has no extensions: --headless=new is given below
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: 'reduce',
    args: ['--headless=new', '--no-sandbox', `--disable-extensions-except=${unpacked}`, `--load-extension=${unpacked}`, '--disable-features=DisableLoadExtensionCommandLineSwitch'],
  })
  context.setDefaultTimeout(60_000) // many networks may run beside this one
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'))
  const id = new URL(worker.url()).host
  return {
    context,
    url: (path = '') => `chrome-extension://${id}/index.html${path}`,
    async close() {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

/** Stops the extension's worker, as the browser does when it likes. */
export async function stopWorker({ context }, page) {
  const cdp = await context.newCDPSession(page)
  const stopped = new Promise((resolve) => {
    cdp.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
      if (versions.some((v) => v.runningStatus === 'stopped')) resolve()
    })
  })
  await cdp.send('ServiceWorker.enable')
  await cdp.send('ServiceWorker.stopAllWorkers')
  await stopped
  await cdp.detach()
}
