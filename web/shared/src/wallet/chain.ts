// The chain, through this page's own server; and the connected wallet as viem has it.
import { createPublicClient, createWalletClient, custom, defineChain, http, type Abi, type Account, type Address, type Chain, type Hex, type PublicClient, type TransactionReceipt, type Transport, type WalletClient } from 'viem'
import { connection } from './wallets.js'

const rpc = `${window.location.origin}/node/eth`

export const reader: PublicClient = createPublicClient({ transport: http(rpc, { retryCount: 1, timeout: 15_000 }), pollingInterval: 500 })

let id: number | undefined

/** The id of the chain that the node is of. */
export async function chainId(): Promise<number> {
  id ??= await reader.getChainId()
  return id
}

/** The network as wallets are told of it. */
export const network = async () => ({ id: await chainId(), rpc })

export type Signing = WalletClient<Transport, Chain, Account>

/** The connected wallet, which must be on the chain that this page is about. */
export async function signing(): Promise<Signing> {
  const { wallet, account } = connection()
  if (!wallet || !account) throw Object.assign(new Error('no wallet is connected'), { code: 4100 })
  const to = await chainId()
  // What the wallet says now counts, and not what it said before.
  if (Number(await wallet.provider.request({ method: 'eth_chainId' })) !== to) throw new Error(`chain mismatch: the wallet is not on chain ${to}`)
  const chain = defineChain({ id: to, name: `AITBC ${to}`, nativeCurrency: { name: 'AITBC', symbol: 'AITBC', decimals: 18 }, rpcUrls: { default: { http: [rpc] } } })
  return createWalletClient({ account, chain, transport: custom(wallet.provider as Parameters<typeof custom>[0]) })
}

export interface Call {
  address: Address
  abi: Abi
  functionName: string
  args?: readonly unknown[]
  value?: bigint
}

// What a call may cost more in its block than it did when it was tried: rewards that
// are settled meanwhile, entries in the Market's queues. What is not used is not paid.
const spareGas = 160_000n

/** Tries a call, has the wallet send it, and waits until it is in a block. */
export const send = async (call: Call): Promise<Hex> => (await included(call)).transactionHash

/** As {@link send}; what the block has of it. */
export async function included(call: Call): Promise<TransactionReceipt> {
  const wallet = await signing()
  await reader.simulateContract({ ...call, account: wallet.account.address } as never)
  const tried = await reader.estimateContractGas({ ...call, account: wallet.account.address } as never)
  const hash = await wallet.writeContract({ ...call, gas: tried + tried / 5n + spareGas } as never)
  const receipt = await reader.waitForTransactionReceipt({ hash, pollingInterval: 300 })
  if (receipt.status !== 'success') throw new Error(`the transaction ${hash} was reverted`)
  return receipt
}
