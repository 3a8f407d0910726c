// Asking a node over HTTP.

/** The node does not answer, or not as a node does. */
export class Unreachable extends Error {
  override name = 'Unreachable'
}

/** What the node refused. */
export class NodeError extends Error {
  override name = 'NodeError'
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message)
  }
}

/** Asks a node one thing. It throws {@link Unreachable} or {@link NodeError}. */
export type Ask = (method: string, params?: readonly unknown[]) => Promise<unknown>

const patience = 10_000
const most = 8 << 20

/** Reads a body no longer than we bear. */
async function limited(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  if (!reader) return ''
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.length
    if (size > most) {
      await reader.cancel()
      throw new Unreachable('The answer is too long.')
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** The JSON at a URL, of whoever keeps our manners. It throws {@link Unreachable}. */
export async function getJSON(url: string, init: RequestInit = {}): Promise<unknown> {
  try {
    const response = await fetch(url, { credentials: 'omit', redirect: 'error', cache: 'no-store', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(patience), ...init })
    if (!response.ok) throw new Unreachable(`It answered ${response.status}.`)
    return JSON.parse(await limited(response))
  } catch (e) {
    if (e instanceof Unreachable) throw e
    throw new Unreachable(e instanceof SyntaxError ? 'The answer is not JSON.' : 'It does not answer.')
  }
}

/** {@link Ask} for the node at a URL. */
export function ask(url: string): Ask {
  let id = 0
  return async (method, params = []) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params })
    const answer = (await getJSON(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })) as { result?: unknown; error?: { code?: unknown; message?: unknown; data?: unknown } } | null
    if (answer && typeof answer === 'object' && answer.error) {
      const { code, message, data } = answer.error
      throw new NodeError(typeof code === 'number' ? code : -32603, typeof message === 'string' ? message : 'refused', data)
    }
    if (!answer || typeof answer !== 'object' || !('result' in answer)) throw new Unreachable('This is no Ethereum node.')
    return answer.result
  }
}

/** A quantity as nodes write it. */
export function quantity(v: unknown): bigint {
  if (typeof v !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(v)) throw new Unreachable('The node answered something that is no number.')
  return BigInt(v)
}

/** A number as nodes want it. */
export function hexOf(n: bigint | number): `0x${string}` {
  return `0x${n.toString(16)}`
}
