import fc from 'fast-check'
import { hashTypedData, recoverAddress } from 'viem'
import { describe, expect, it } from 'vitest'
import { marketPredeploy } from '../src/chain/predeploys.js'
import { keyOfHex } from '../src/crypto/phrase.js'
import { agree, ask, bench, chainId, connect, keys, me, opened, passphrase, phrase, second, site, waiting, type Bench } from './world.js'

const payment = { from: me, to: second, value: '0x10' }
const code = async (p: Promise<unknown>) => ((await p) as { error?: { code: number } } | null)?.error?.code
const order = {
  types: { Voucher: [{ name: 'session', type: 'uint64' }, { name: 'through', type: 'uint64' }, { name: 'cumulative', type: 'uint128' }] },
  primaryType: 'Voucher' as const, domain: { name: 'AITBC', version: '1', chainId, verifyingContract: marketPredeploy.address }, message: { session: 4, through: 7, cumulative: '5' },
}

describe('a stranger', () => {
  it('learns the chain and nothing else', async () => {
    const b = await opened()
    expect(await ask(b, 'eth_chainId')).toEqual({ result: `0x${chainId.toString(16)}` })
    expect(await ask(b, 'net_version')).toEqual({ result: String(chainId) })
    expect(await ask(b, 'eth_accounts')).toEqual({ result: [] })
    expect(await ask(b, 'wallet_getPermissions')).toEqual({ result: [] })
    for (const [method, params] of [['eth_blockNumber', []], ['eth_call', [{}]], ['eth_sendTransaction', [payment]], ['personal_sign', ['hi', me]], ['eth_signTypedData_v4', [me, order]]] as const) expect(await code(ask(b, method, params))).toBe(4100)
    expect(b.shown).toBe(0)
  })

  it.each(['eth_sign', 'eth_signTransaction', 'eth_sendRawTransaction', 'eth_signTypedData', 'eth_signTypedData_v3', 'wallet_watchAsset', 'debug_traceTransaction', 'personal_unlockAccount', '__proto__', 'constructor', ''])('asks "%s" in vain: 4200', async (method) => {
    const b = await opened()
    await connect(b)
    expect(await code(ask(b, method, []))).toBe(4200)
  })
})

describe('a connection', () => {
  it('shows the accounts that were chosen, to that origin alone', async () => {
    const b = await opened()
    await b.core.keys.importKey(keyOfHex(keys[1]))
    await ask(b, 'eth_requestAccounts')
    expect(await agree(b, [second])).toEqual({ result: [second] })
    expect(await ask(b, 'eth_accounts')).toEqual({ result: [second] })
    expect(await ask(b, 'eth_accounts', [], { ...site, origin: 'https://market.example:8443' })).toEqual({ result: [] })
    expect(await code(ask(b, 'eth_sendTransaction', [payment]))).toBe(4100) // of the account that was not chosen
    expect(await ask(b, 'eth_blockNumber')).toEqual({ result: '0x10' })
  })

  it('that is rejected is 4001, and leaves nothing', async () => {
    const b = await opened()
    await ask(b, 'eth_requestAccounts')
    const { key } = await waiting(b)
    await b.approvals.reject(key)
    expect((await b.core.requests.get(key))!.answer).toMatchObject({ error: { code: 4001 } })
    expect(await ask(b, 'eth_accounts')).toEqual({ result: [] })
  })

  it('cannot be to an account that is not there, nor to none', async () => {
    const b = await opened()
    await ask(b, 'eth_requestAccounts')
    const { key } = await waiting(b)
    for (const chosen of [[], [second]]) await expect(b.approvals.approve(key, key, chosen)).rejects.toThrow('Choose')
    expect((await waiting(b)).key).toBe(key)
  })

  it('ends when it is revoked, by either side', async () => {
    const b = await opened()
    await connect(b)
    expect(await ask(b, 'wallet_getPermissions')).toMatchObject({ result: [{ parentCapability: 'eth_accounts' }] })
    expect(await ask(b, 'wallet_revokePermissions', [{ eth_accounts: {} }])).toEqual({ result: null })
    expect(await code(ask(b, 'eth_blockNumber'))).toBe(4100)
    await connect(b)
    await b.commands.revoke(site.origin)
    expect(await ask(b, 'eth_accounts')).toEqual({ result: [] })
  })

  it('is asked for once at a time', async () => {
    const b = await opened()
    await ask(b, 'eth_requestAccounts')
    expect(await code(ask(b, 'eth_requestAccounts'))).toBe(-32002)
  })

  it('answers with permissions where they were asked for', async () => {
    const b = await opened()
    await ask(b, 'wallet_requestPermissions', [{ eth_accounts: {} }])
    expect(await agree(b, [me])).toMatchObject({ result: [{ parentCapability: 'eth_accounts', caveats: [{ value: [me] }] }] })
    expect(await code(ask(b, 'wallet_requestPermissions', [{ everything: {} }]))).toBe(-32602)
  })
})

describe('a locked wallet', () => {
  it('shows no account, and asks behind the lock', async () => {
    const b = await opened()
    await connect(b)
    await b.core.keys.lock()
    expect(await ask(b, 'eth_accounts')).toEqual({ result: [] })
    expect(await ask(b, 'eth_sendTransaction', [payment])).toBeNull()
    const { key } = await waiting(b)
    const review = await b.approvals.review(key)
    await expect(b.approvals.approve(key, review!.shown, [])).rejects.toThrow('locked')
    await b.commands.unlock(passphrase)
    expect(await agree(b)).toMatchObject({ result: expect.stringMatching(/^0x/) })
  })

  it('answers who is connected already as soon as it is unlocked', async () => {
    const b = await opened()
    await connect(b)
    await b.core.keys.lock()
    await ask(b, 'eth_requestAccounts')
    const { key } = await waiting(b)
    await b.commands.unlock(passphrase)
    expect((await b.core.requests.get(key))!.answer).toEqual({ result: [me] })
  })
})

describe('chains', () => {
  it('that are not known are 4902; those that are known need a yes', async () => {
    const b = await opened()
    expect(await ask(b, 'wallet_switchEthereumChain', [{ chainId: `0x${chainId.toString(16)}` }])).toEqual({ result: null })
    expect(await code(ask(b, 'wallet_switchEthereumChain', [{ chainId: '0x1' }]))).toBe(4902)
    for (const bad of [[], [{}], [{ chainId: 1 }], [{ chainId: '1' }], [{ chainId: `0x${'f'.repeat(20)}` }]]) expect(await code(ask(b, 'wallet_switchEthereumChain', bad))).toBe(-32602)
  })

  it('are added only if their node is of the chain that was said, and ours', async () => {
    const b = await opened()
    const proposal = { chainId: '0x99', chainName: 'X\u202e', rpcUrls: ['http://evil.example', 'https://rpc.example'], nativeCurrency: { decimals: 18 } }
    expect(await ask(b, 'wallet_addEthereumChain', [proposal])).toBeNull()
    expect((await waiting(b)).ask).toMatchObject({ network: { name: 'X·', rpc: 'https://rpc.example' } })
    expect(await agree(b)).toMatchObject({ error: { code: -32603, message: expect.stringContaining('not 153') } })
    b.node.ours = false
    await ask(b, 'wallet_addEthereumChain', [proposal])
    expect(await agree(b)).toMatchObject({ error: { code: -32603, message: expect.stringContaining('no Market') } })
    expect(await b.core.networks.list()).toHaveLength(1)
    for (const bad of [{ ...proposal, rpcUrls: ['http://evil.example'] }, { ...proposal, rpcUrls: 'https://x' }, { ...proposal, nativeCurrency: { decimals: 6 } }]) expect(await code(ask(b, 'wallet_addEthereumChain', [bad]))).toBe(-32602)
  })

  it('of another node than before are used for nothing until the person says so', async () => {
    const b = await opened()
    await connect(b)
    b.node.chainId = chainId + 1
    b.clock.now += 5_000
    expect(await code(ask(b, 'eth_blockNumber'))).toBe(4900)
    await ask(b, 'eth_sendTransaction', [payment])
    expect((await b.approvals.review((await waiting(b)).key))!.problem).toContain('another one than before')
    await b.commands.acceptChain('devnet')
    expect(await ask(b, 'eth_chainId')).toEqual({ result: `0x${(chainId + 1).toString(16)}` })
    // What was asked for the chain before is not signed for the new one.
    expect((await b.approvals.review((await waiting(b)).key))!.problem).toContain(`asked on chain ${chainId}`)
  })

  it('without a node are 4900, and pages are told', async () => {
    const b = await opened()
    await connect(b)
    b.node.online = false
    b.clock.now += 5_000
    expect(await code(ask(b, 'eth_blockNumber'))).toBe(4900)
    expect(await b.provider.state(site.origin)).toMatchObject({ online: false, accounts: [me] })
  })
})

describe('signatures', () => {
  it('of the protocol’s typed data are of the digest that is shown', async () => {
    const b = await opened()
    await connect(b)
    await ask(b, 'eth_signTypedData_v4', [me, JSON.stringify(order)])
    const { result } = (await agree(b)) as { result: `0x${string}` }
    expect(await recoverAddress({ hash: hashTypedData({ ...order, domain: { ...order.domain, verifyingContract: marketPredeploy.address.toLowerCase() as never }, message: { session: 4n, through: 7n, cumulative: 5n } } as never), signature: result })).toBe(me)
  })

  it('that cannot be shown are refused at once, unless the person allows them', async () => {
    const b = await opened()
    await connect(b)
    const blind = [['eth_sendTransaction', [{ ...payment, data: '0xdeadbeef' }]], ['eth_signTypedData_v4', [me, { ...order, domain: { name: 'Other' } }]], ['personal_sign', [`0x${'01'.repeat(32)}`, me]]] as const
    for (const [method, params] of blind) {
      expect(await ask(b, method, params)).toMatchObject({ error: { code: 4100, message: expect.stringContaining('blind signing') } })
    }
    await b.commands.setBlind(true)
    expect(await ask(b, ...blind[1])).toBeNull()
    const { key } = await waiting(b)
    const review = await b.approvals.review(key)
    expect(review!.intent!.blind).toBe(true)
    // Who changes their mind meanwhile is heard.
    await b.commands.setBlind(false)
    await expect(b.approvals.approve(key, review!.shown, [])).rejects.toThrow('blind')
  })

  it('for other chains, other sites and other accounts are refused', async () => {
    const b = await opened()
    await connect(b)
    expect(await code(ask(b, 'eth_signTypedData_v4', [me, { ...order, domain: { ...order.domain, chainId: 1 } }]))).toBe(-32602)
    const login = `bank.example wants you to sign in with your Ethereum account:\n${me}\n\n\nURI: https://bank.example\nVersion: 1\nChain ID: ${chainId}\nNonce: abcdefgh1\nIssued At: 2026-11-26T00:00:00Z`
    expect(await ask(b, 'personal_sign', [login, me])).toMatchObject({ error: { code: -32602, message: expect.stringContaining('stolen') } })
    expect(await code(ask(b, 'personal_sign', ['hi', second]))).toBe(4100)
  })

  it('are for what was shown, not for what it became', async () => {
    const b = await opened()
    await connect(b)
    await ask(b, 'eth_sendTransaction', [payment])
    const { key } = await waiting(b)
    const review = await b.approvals.review(key)
    await expect(b.approvals.approve(key, `0x${'0'.repeat(64)}`, [])).rejects.toThrow('changed')
    b.node.sent.push('0x01') // another program sends with this account
    await expect(b.approvals.approve(key, review!.shown, [])).rejects.toThrow('came in between')
    expect(await agree(b)).toHaveProperty('result')
  })
})

describe('parameters', () => {
  it.each<[string, unknown]>([
    ['eth_sendTransaction', undefined], ['eth_sendTransaction', {}], ['eth_sendTransaction', []], ['eth_sendTransaction', [payment, payment]],
    ['eth_sendTransaction', [{ ...payment, strange: 1 }]], ['eth_sendTransaction', [{ ...payment, value: 16 }]], ['eth_sendTransaction', [{ ...payment, value: '16' }]],
    ['eth_sendTransaction', [{ ...payment, to: '0x12' }]], ['eth_sendTransaction', [{ ...payment, to: '0x70997970C51812dc3A010C7d01b50e0d17dc79c8' }]],
    ['eth_sendTransaction', [{ ...payment, chainId: '0x1' }]], ['eth_sendTransaction', [{ ...payment, data: '0x1' }]], ['eth_sendTransaction', [{ ...payment, data: '0x12', input: '0x13' }]],
    ['eth_sendTransaction', [{ ...payment, gas: '0x1' }]], ['eth_sendTransaction', [{ ...payment, type: '0x4' }]], ['eth_sendTransaction', [{ ...payment, authorizationList: [] }]],
    ['eth_sendTransaction', [{ ...payment, accessList: [{}] }]], ['eth_sendTransaction', [{ from: me }]], ['eth_sendTransaction', [{ ...payment, value: `0x${'f'.repeat(64)}` }]],
    ['personal_sign', [me, 'hi']], ['personal_sign', ['hi']], ['personal_sign', [1, me]], ['personal_sign', ['\ud800', me]],
    ['eth_signTypedData_v4', [order, me]], ['eth_signTypedData_v4', [me]], ['eth_signTypedData_v4', [me, 'x']], ['eth_signTypedData_v4', [me, '{}']],
  ])('of %s: %j are -32602', async (method, params) => {
    const b = await opened()
    await connect(b)
    expect(await code(ask(b, method, params))).toBe(-32602)
  })

  it('of any shape are answered, and never sign anything by themselves', async () => {
    const b = await opened()
    await connect(b)
    const shapes = fc.oneof(fc.jsonValue(), fc.constant(payment), fc.record({ from: fc.constant(me), to: fc.jsonValue(), data: fc.jsonValue() }), fc.tuple(fc.constant(me), fc.json()))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('eth_sendTransaction', 'personal_sign', 'eth_signTypedData_v4', 'wallet_addEthereumChain', 'wallet_switchEthereumChain', 'wallet_requestPermissions'), fc.oneof(shapes, fc.array(shapes, { maxLength: 3 })), async (method, params) => {
        const answer = await ask(b, method, params)
        await b.core.requests.forget(() => true)
        if (answer && 'error' in answer) expect([4100, 4902, -32602, -32002]).toContain(answer.error.code)
      }),
      { numRuns: 400 },
    )
    expect(b.node.sent).toEqual([])
  })
})

describe('many requests', () => {
  it('of one site have a bound', async () => {
    const b = await opened()
    await connect(b)
    const codes = await Promise.all(Array.from({ length: 9 }, () => code(ask(b, 'eth_sendTransaction', [payment]))))
    expect(codes.filter((c) => c === -32002)).toHaveLength(4)
  })
})

it('what a bench begins with is a wallet that there is none of', async () => {
  const b: Bench = bench()
  expect((await b.commands.status()).locking).toBe('none')
  await b.commands.create({ kind: 'phrase', phrase }, passphrase)
  expect(await b.commands.status()).toMatchObject({ locking: 'open', account: { address: me } })
})
