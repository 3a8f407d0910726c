// Makes a transaction complete: number, gas, fees.
import type { Address, Hex } from 'viem'
import { predeployAt } from './predeploys.js'
import { hexOf, quantity, Unreachable, type Ask } from './rpc.js'
import type { Tx } from '../intent/transaction.js'

/** What is asked for; what is left out is filled in. */
export interface Wanted {
  from: Address
  to: Address | null
  value: bigint
  data: Hex
  gas: bigint | null
  maxFeePerGas: bigint | null
  maxPriorityFeePerGas: bigint | null
}

// The state may change until a transaction runs; an entry in a queue of ours may then cost more.
const spare = 10_000n
const queueSpare = 50_000n

/** The fees of the moment. The cap is four times the base fee, as in the wallet daemon. */
async function fees(ask: Ask): Promise<{ cap: bigint; tip: bigint }> {
  const [block, tip] = await Promise.all([ask('eth_getBlockByNumber', ['latest', false]), ask('eth_maxPriorityFeePerGas')])
  const base = (block as { baseFeePerGas?: unknown } | null)?.baseFeePerGas
  if (base === undefined) throw new Unreachable('The node shows no base fee.')
  return { cap: 4n * quantity(base) + quantity(tip), tip: quantity(tip) }
}

/** The transaction, with the given number. It throws what the node says of it, in a refusal of the contract too. */
export async function build(ask: Ask, w: Wanted, chainId: number, nonce: number): Promise<Tx> {
  const call = { from: w.from, ...(w.to ? { to: w.to } : {}), value: hexOf(w.value), data: w.data }
  const [fee, estimate] = await Promise.all([fees(ask), ask('eth_estimateGas', [call])])
  const needed = quantity(estimate)
  const padded = w.data === '0x' ? needed : needed + needed / 5n + spare + (w.to && predeployAt(w.to) ? queueSpare : 0n)
  const cap = w.maxFeePerGas ?? fee.cap
  const tip = w.maxPriorityFeePerGas ?? fee.tip
  return { chainId, nonce, to: w.to, value: w.value, data: w.data, gas: w.gas ?? padded, maxFeePerGas: cap, maxPriorityFeePerGas: tip < cap ? tip : cap }
}

/** The next number of an account, after all that the node knows of. */
export async function nextNonce(ask: Ask, from: Address): Promise<number> {
  return Number(quantity(await ask('eth_getTransactionCount', [from, 'pending'])))
}

/** A transaction as storage takes it. */
export type StoredTx = { [K in keyof Tx]: Tx[K] extends bigint ? string : Tx[K] }

export function storeTx(t: Tx): StoredTx {
  return { ...t, value: String(t.value), gas: String(t.gas), maxFeePerGas: String(t.maxFeePerGas), maxPriorityFeePerGas: String(t.maxPriorityFeePerGas) }
}

export function restoreTx(t: StoredTx): Tx {
  return { ...t, value: BigInt(t.value), gas: BigInt(t.gas), maxFeePerGas: BigInt(t.maxFeePerGas), maxPriorityFeePerGas: BigInt(t.maxPriorityFeePerGas) }
}
