// Why something would fail, or did, in words for people.
import { decodeErrorResult, type Abi, type Hex } from 'viem'
import { clock, line } from '../intent/text.js'
import { predeploys } from './predeploys.js'
import { NodeError, Unreachable } from './rpc.js'

// Errors have names that say what they mean; these say what to do.
const advice: Record<string, (args: readonly unknown[]) => string> = {
  TooSoon: ([next]) => `The faucet has given to this account a moment ago. It gives again at ${clock(BigInt(next as bigint))}.`,
  HourlyCapReached: () => 'The faucet has given all that it gives in an hour. Try again in the next hour.',
  Empty: () => 'The faucet is empty.',
}

const errors = [...new Map(predeploys.flatMap((p) => p.abi.filter((x) => x.type === 'error').map((x) => [JSON.stringify(x), x]))).values()] as unknown as Abi

function hexIn(data: unknown): Hex | null {
  const found = typeof data === 'object' && data !== null && 'data' in data ? (data as { data: unknown }).data : data
  return typeof found === 'string' && /^0x([0-9a-f]{2}){4,}$/i.test(found) ? (found as Hex) : null
}

function revert(data: Hex): string {
  try {
    const { errorName, args = [] } = decodeErrorResult({ abi: errors, data })
    if (errorName === 'Error') return `The contract refuses: ${line(String(args[0]), 200)}`
    const known = Object.hasOwn(advice, errorName) ? advice[errorName] : undefined
    return known ? known(args) : `The contract refuses: ${errorName}(${args.map((a) => line(String(a), 66)).join(', ')})`
  } catch {
    return 'The contract refuses, for a reason that nobody can read.'
  }
}

/** What a node's refusal of a transaction means. */
export function explain(e: unknown): string {
  if (e instanceof Unreachable) return `The node does not answer: ${e.message}`
  if (!(e instanceof NodeError)) return e instanceof Error ? e.message : String(e)
  const data = hexIn(e.data)
  if (data) return revert(data)
  const text = e.message.toLowerCase()
  if (text.includes('insufficient funds')) return 'The account has too little for the amount and the fee.'
  if (text.includes('nonce too low')) return 'Another transaction of this account was faster. Look at it again.'
  if (text.includes('underpriced')) return 'The fee is too low just now. Look at it again.'
  if (text.includes('execution reverted')) return 'The contract refuses, and gives no reason.'
  return `The node refuses: ${line(e.message, 200)}`
}
