// The sign-in of EIP-4361, by which a wallet manages its account's API keys. The
// token lives in this page alone, for an hour at the most.
import { ask } from '@aitbc/shared'
import { getAddress } from 'viem'
import { createSiweMessage } from 'viem/siwe'
import { signing } from '@aitbc/shared/wallet/chain'

export interface Login {
  token: string
  account: string
  expires_at: number
  admin: boolean
}

/** Has the wallet sign in with the coordinator. */
export async function login(): Promise<Login> {
  const wallet = await signing()
  const { nonce, chain_id } = await ask<{ nonce: string; chain_id: number }>('/coordinator/v1/login/nonce', { body: {} })
  if (chain_id !== wallet.chain.id) throw new Error('The coordinator serves another chain than the node.')
  const message = createSiweMessage({
    domain: window.location.host, address: getAddress(wallet.account.address), uri: window.location.origin, version: '1', chainId: chain_id, nonce,
    issuedAt: new Date(), statement: 'Sign in to manage your API keys.',
  })
  const signature = await wallet.signMessage({ account: wallet.account, message })
  return ask<Login>('/coordinator/v1/login', { body: { message, signature } })
}

export interface Budget {
  total: string
  day: string
  month: string
}

export interface Key {
  id: string
  session: number
  created_at: number
  current: boolean
  name?: string
  scope: string
  expires_at?: number
  rate_per_minute?: number
  made: boolean
  budget?: Budget
  spent?: Budget
}

export const keysOf = async (token: string) => (await ask<{ keys: Key[] }>('/coordinator/v1/keys', { key: token })).keys
export const revoke = (token: string, id: string) => ask<unknown>(`/coordinator/v1/keys/${id}`, { key: token, method: 'DELETE' })

export interface Wish {
  name: string
  scope: string
  session: number
  expires_in_seconds: number
  rate_per_minute: number
  budget?: Budget
}

export const make = (token: string, w: Wish) => ask<Key & { api_key: string }>('/coordinator/v1/keys', { key: token, body: w })
