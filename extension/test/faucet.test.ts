import { encodeFunctionResult, type Address } from 'viem'
import { afterEach, expect, it, vi } from 'vitest'
import { devnet } from '../src/chain/network.js'
import { faucetPredeploy } from '../src/chain/predeploys.js'
import type { Ask } from '../src/chain/rpc.js'
import { faucetState, firstCoins } from '../src/worker/faucet.js'

const me: Address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
const other: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

/** A node with a faucet, at which accounts have so much. */
const node = (balances: Record<string, bigint>): Ask => async (method, params = []) => {
  if (method === 'eth_getCode') return '0x60'
  if (method === 'eth_getBalance') return `0x${(balances[params[0] as string] ?? 0n).toString(16)}`
  const data = (params[0] as { data: string }).data
  const params_ = { amount: 100n * 10n ** 18n, cooldown: 60n, hourlyCap: 10n ** 24n }
  const selectors = { params: encodeFunctionResult({ abi: faucetPredeploy.abi, functionName: 'params', result: params_ } as never), nextDrip: encodeFunctionResult({ abi: faucetPredeploy.abi, functionName: 'nextDrip', result: 0n } as never) }
  return data.length > 10 ? selectors.nextDrip : selectors.params
}

/** What a marketplace answers, and what it was asked. */
function marketplace(answers: Record<string, [status: number, body: unknown]>) {
  const asked: string[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    asked.push(`${init.method ?? 'GET'} ${url} ${init.body ?? ''}`.trim())
    const [status, body] = answers[new URL(url).pathname] ?? [404, {}]
    return new Response(JSON.stringify(body), { status })
  })
  return asked
}

afterEach(() => vi.unstubAllGlobals())

it('the marketplace is asked only for a wallet that has nothing', async () => {
  const asked = marketplace({ '/api/config': [200, { faucet: true }] })
  expect(await faucetState(node({ [other]: 10n ** 18n }), devnet, me, [me, other])).toMatchObject({ payer: other, gives: false })
  expect(asked).toEqual([])
  expect(await faucetState(node({}), devnet, me, [me, other])).toMatchObject({ payer: null, gives: true })
  expect(asked).toEqual([`GET ${devnet.marketplace}/api/config`])
})

it('a marketplace that is away, or gives nothing, is none', async () => {
  marketplace({})
  expect((await faucetState(node({}), devnet, me, [me])).gives).toBe(false)
  marketplace({ '/api/config': [200, { faucet: false }] })
  expect((await faucetState(node({}), devnet, me, [me])).gives).toBe(false)
  const asked = marketplace({ '/api/config': [200, { faucet: true }] })
  expect((await faucetState(node({}), { ...devnet, marketplace: '' }, me, [me])).gives).toBe(false)
  expect(asked).toEqual([])
})

it('first coins are asked for the account and for nothing else', async () => {
  const asked = marketplace({ '/api/faucet': [200, { to: me, amount: '1' }] })
  await firstCoins(devnet, me)
  expect(asked).toEqual([`POST ${devnet.marketplace}/api/faucet ${JSON.stringify({ to: me })}`])
  marketplace({ '/api/faucet': [429, { error: { code: 'rate_limited', message: 'not now' } }] })
  await expect(firstCoins(devnet, me)).rejects.toThrow(/gave nothing.*429/)
  await expect(firstCoins({ ...devnet, marketplace: '' }, me)).rejects.toThrow(/no marketplace/)
})
