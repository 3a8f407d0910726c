// The test networks' faucet. Whoever asks it pays for the transaction, so an
// account without a coin needs another that asks for it: one of the wallet's, or
// the network's marketplace.
import { decodeFunctionResult, encodeFunctionData, type Address, type Hex } from 'viem'
import { faucetPredeploy } from '../chain/predeploys.js'
import type { Network } from '../chain/network.js'
import { getJSON, quantity, Unreachable, type Ask } from '../chain/rpc.js'
import { Unfit } from './keys.js'

export interface FaucetState {
  /** Base units that it gives at once. Null where there is no faucet. */
  amount: string | null
  /** It gives to the account again at this time, in seconds; 0 for now. */
  next: number
  /** Which account of the wallet can pay for asking; null for none. */
  payer: Address | null
  /** Nobody of the wallet can pay, and the marketplace asks for who is empty. */
  gives: boolean
}

// More than asking costs at any fee that is usual.
const enough = 10n ** 15n

async function read(ask: Ask, functionName: string, args: readonly unknown[] = []): Promise<unknown> {
  const call = { abi: faucetPredeploy.abi, functionName, args }
  const data = (await ask('eth_call', [{ to: faucetPredeploy.address, data: encodeFunctionData(call) }, 'latest'])) as Hex
  return decodeFunctionResult({ abi: faucetPredeploy.abi, functionName, data })
}

/** How the faucet stands for an account, and who of these could pay. */
export async function faucetState(ask: Ask, network: Network, to: Address, accounts: Address[]): Promise<FaucetState> {
  if ((await ask('eth_getCode', [faucetPredeploy.address, 'latest'])) === '0x') return { amount: null, next: 0, payer: null, gives: false }
  const [params, next] = (await Promise.all([read(ask, 'params'), read(ask, 'nextDrip', [to])])) as [{ amount: bigint }, bigint]
  let payer: Address | null = null
  for (const a of [to, ...accounts]) {
    if (quantity(await ask('eth_getBalance', [a, 'latest'])) >= enough) {
      payer = a
      break
    }
  }
  return { amount: String(params.amount), next: Number(next), payer, gives: payer === null && (await gives(network)) }
}

async function gives({ marketplace }: Network): Promise<boolean> {
  if (!marketplace) return false
  const said = (await getJSON(`${marketplace}/api/config`).catch(() => null)) as { faucet?: unknown } | null
  return said?.faucet === true
}

// The marketplace waits for the block.
const patience = 30_000

/** Has the marketplace ask the faucet for an account that is empty. Coins come or not: nothing of the wallet's is at stake. */
export async function firstCoins({ marketplace }: Network, to: Address): Promise<void> {
  if (!marketplace) throw new Unfit('This network names no marketplace.')
  try {
    await getJSON(`${marketplace}/api/faucet`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ to }), signal: AbortSignal.timeout(patience),
    })
  } catch (e) {
    if (e instanceof Unreachable) throw new Unfit(`The marketplace gave nothing. ${e.message} Try again later.`)
    throw e
  }
}

/** The call that asks it. */
export function drip(to: Address): { to: Address; data: Hex } {
  return { to: faucetPredeploy.address, data: encodeFunctionData({ abi: faucetPredeploy.abi, functionName: 'drip', args: [to] }) }
}
