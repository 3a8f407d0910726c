// Wallets in this browser: found by EIP-6963, asked by EIP-1193. Nothing is signed here.
import { useSyncExternalStore } from 'react'

export interface Provider {
  request(args: { method: string; params?: unknown }): Promise<unknown>
  on?(event: string, tell: (value: never) => void): void
}

export interface Wallet {
  info: { uuid: string; name: string; icon: string; rdns: string }
  provider: Provider
}

export interface Connection {
  wallets: Wallet[]
  wallet?: Wallet
  account?: `0x${string}`
  chain?: number
}

const memory = 'wallet' // the rdns of the wallet of the last visit

let state: Connection = { wallets: [] }
const watchers = new Set<() => void>()

function set(next: Partial<Connection>): void {
  state = { ...state, ...next }
  watchers.forEach((w) => w())
}

const subscribe = (tell: () => void) => {
  watchers.add(tell)
  return () => watchers.delete(tell)
}

/** The wallets there are, and the one that is connected. */
export function useWallets(): Connection {
  return useSyncExternalStore(subscribe, () => state)
}

/** The connection as it is now. */
export const connection = (): Connection => state

const accountOf = (list: unknown): `0x${string}` | undefined => {
  const first = Array.isArray(list) ? (list[0] as unknown) : undefined
  return typeof first === 'string' && /^0x[0-9a-f]{40}$/i.test(first) ? (first.toLowerCase() as `0x${string}`) : undefined
}

async function take(wallet: Wallet, method: 'eth_accounts' | 'eth_requestAccounts'): Promise<void> {
  const account = accountOf(await wallet.provider.request({ method }))
  if (!account) {
    if (method === 'eth_accounts') return // it has forgotten us, or is locked
    throw new Error('The wallet named no account: unlock it, and choose one for this page.')
  }
  const chain = Number(await wallet.provider.request({ method: 'eth_chainId' }))
  if (state.wallet !== wallet) {
    const current = () => state.wallet === wallet
    wallet.provider.on?.('accountsChanged', (list) => current() && set({ account: accountOf(list) }))
    wallet.provider.on?.('chainChanged', (id) => current() && set({ chain: Number(id) }))
    wallet.provider.on?.('disconnect', () => current() && set({ account: undefined, chain: undefined }))
  }
  localStorage.setItem(memory, wallet.info.rdns)
  set({ wallet, account, chain })
}

/** Asks a wallet for an account. */
export const connect = (wallet: Wallet) => take(wallet, 'eth_requestAccounts')

/** Forgets the wallet; the wallet itself may go on to trust this page. */
export function disconnect(): void {
  localStorage.removeItem(memory)
  set({ wallet: undefined, account: undefined, chain: undefined })
}

/** Hears of wallets from now on, and goes on with the one of the last visit. */
export function listen(): void {
  window.addEventListener('eip6963:announceProvider', (e) => {
    const w = (e as CustomEvent<Wallet>).detail
    if (typeof w?.info?.uuid !== 'string' || typeof w.info.name !== 'string' || typeof w.provider?.request !== 'function' || state.wallets.some((x) => x.info.uuid === w.info.uuid)) return
    set({ wallets: [...state.wallets, w] })
    if (!state.wallet && w.info.rdns === localStorage.getItem(memory)) void take(w, 'eth_accounts').catch(() => {}) // it is asked again by a press
  })
  window.dispatchEvent(new Event('eip6963:requestProvider'))
}

export interface Chain {
  id: number
  rpc: string
  explorer?: string
}

/** Has the connected wallet change to a chain, which it learns if it does not know it. */
export async function change(to: Chain): Promise<void> {
  const provider = state.wallet?.provider
  if (!provider) throw new Error('No wallet is connected.')
  const chainId = `0x${to.id.toString(16)}`
  try {
    await provider.request({ method: 'wallet_switchEthereumChain', params: [{ chainId }] })
  } catch (e) {
    const code = (e as { code?: unknown; data?: { originalError?: { code?: unknown } } } | null)?.code
    const inner = (e as { data?: { originalError?: { code?: unknown } } } | null)?.data?.originalError?.code
    if (code !== 4902 && inner !== 4902) throw e
    const chain = { chainId, chainName: `AITBC ${to.id}`, nativeCurrency: { name: 'AITBC', symbol: 'AITBC', decimals: 18 }, rpcUrls: [to.rpc] }
    await provider.request({ method: 'wallet_addEthereumChain', params: [chain] })
    await provider.request({ method: 'wallet_switchEthereumChain', params: [{ chainId }] })
  }
  set({ chain: Number(await provider.request({ method: 'eth_chainId' })) })
}
