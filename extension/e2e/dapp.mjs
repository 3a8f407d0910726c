// A site on the loopback interface that finds the wallet by EIP-6963.
import { createServer } from 'node:http'

const html = `<!doctype html><html lang="en"><title>Test site</title><h1>Test site</h1><script>
  window.found = []
  window.heard = []
  window.addEventListener('eip6963:announceProvider', (e) => {
    window.found.push(e.detail.info)
    if (window.wallet) return
    window.wallet = e.detail.provider
    for (const name of ['accountsChanged', 'chainChanged', 'connect', 'disconnect']) window.wallet.on(name, (payload) => window.heard.push([name, payload]))
  })
  window.dispatchEvent(new Event('eip6963:requestProvider'))
</script></html>`

/** Serves the site; url is its address. */
export async function serve() {
  const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(html))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}

/** Asks the wallet from within the page: what came, or the error. */
export function ask(page, method, params) {
  return page.evaluate(
    ([method, params]) => window.wallet.request({ method, params }).then((result) => ({ result }), (e) => ({ code: e.code, message: e.message })),
    [method, params],
  )
}
