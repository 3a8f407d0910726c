// Networks, and whether what answers at an address is one of ours.
import { decodeFunctionResult, encodeFunctionData } from 'viem'
import { marketPredeploy } from './predeploys.js'
import { NodeError, quantity, type Ask } from './rpc.js'

export interface Network {
  id: string
  name: string
  rpc: string
  /** Base of the explorer's pages, and of its interface at /api. Empty for none. */
  explorer: string
  coordinator: string
  /** Of a test network: it has an account that is empty given its first coins. Empty for none. */
  marketplace: string
  /** Null until the node was asked for the first time. */
  chainId: number | null
}

/** What `aitbc up` starts. Each such network draws a chain id of its own. */
export const devnet: Network = { id: 'devnet', name: 'Local devnet', rpc: 'http://127.0.0.1:8545', explorer: 'http://127.0.0.1:3000', coordinator: 'http://127.0.0.1:18000', marketplace: 'http://127.0.0.1:5173', chainId: null }

/** What answers is no network of AITBC's. */
export class NotOurs extends Error {
  override name = 'NotOurs'
}

/** The chain id of a node, which must have our Market: else nothing that we know of its contracts would hold. */
export async function probe(ask: Ask): Promise<number> {
  const id = quantity(await ask('eth_chainId'))
  if (id < 1n || id > BigInt(Number.MAX_SAFE_INTEGER)) throw new NotOurs('Its chain id is out of bounds.')
  const chainId = Number(id)
  const call = { abi: marketPredeploy.abi, functionName: 'eip712Domain' } as const
  let domain: readonly unknown[]
  try {
    const data = await ask('eth_call', [{ to: marketPredeploy.address, data: encodeFunctionData(call) }, 'latest'])
    domain = decodeFunctionResult({ ...call, data: data as `0x${string}` }) as unknown as readonly unknown[]
  } catch (e) {
    if (!(e instanceof NodeError) && (e as Error).name === 'Unreachable') throw e
    throw new NotOurs('This node answers, but is of no AITBC network: there is no Market.')
  }
  const [, name, version, chain, contract] = domain
  if (name !== 'AITBC' || version !== '1' || chain !== id || contract !== marketPredeploy.address) throw new NotOurs('This node answers, but its Market is not AITBC’s.')
  return chainId
}

/** A URL that may be asked: TLS, or this machine. Null for anything else. */
export function goodURL(text: string): string | null {
  let u: URL
  try {
    u = new URL(text.trim())
  } catch {
    return null
  }
  const here = ['127.0.0.1', 'localhost'].includes(u.hostname)
  if (u.username || u.password || u.hash || !(u.protocol === 'https:' || (u.protocol === 'http:' && here))) return null
  return u.href.replace(/\/$/, '')
}
