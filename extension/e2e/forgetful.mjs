// A node that may forget what it is sent, as one does whose pool is full or that is started again: the
// transactions wait, in the wallet's eyes, until others take their places.
import { createServer } from 'node:http'
import { keccak256 } from 'viem'

/** Stands before a node. While forgetful is true it takes transactions and forgets them; these it never passes on. */
export async function forgetful(rpc) {
  const node = { forgetful: false, url: '', close: () => server.close() }
  const lost = new Set()
  const server = createServer(async (request, response) => {
    try {
      const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'content-type' }
      if (request.method === 'OPTIONS') return response.writeHead(204, cors).end()
      let body = ''
      for await (const piece of request.setEncoding('utf8')) body += piece
      const asked = JSON.parse(body)
      if (asked.method === 'eth_sendRawTransaction') {
        const hash = keccak256(asked.params[0])
        if (node.forgetful) lost.add(hash)
        if (lost.has(hash)) return response.writeHead(200, { ...cors, 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id: asked.id, result: hash }))
      }
      const answer = await fetch(rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      response.writeHead(answer.status, { ...cors, 'content-type': 'application/json' }).end(await answer.text())
    } catch (e) {
      response.writeHead(502).end(String(e))
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  node.url = `http://127.0.0.1:${server.address().port}`
  return node
}
