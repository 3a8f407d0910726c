// What strangers write, and how it is shown.
import fc from 'fast-check'
import { encodeFunctionData, getAddress, toFunctionSelector, type AbiFunction, type Address } from 'viem'
import { describe, expect, it } from 'vitest'
import { goodURL, NotOurs, probe } from '../src/chain/network.js'
import { predeploys } from '../src/chain/predeploys.js'
import { explain } from '../src/chain/reasons.js'
import { NodeError, Unreachable } from '../src/chain/rpc.js'
import { aitbc1, readAddress } from '../src/intent/address.js'
import { unpack } from '../src/intent/call.js'
import { coins, line, printable, unitsOf } from '../src/intent/text.js'
import { title } from '../src/intent/title.js'
import { transactionIntent } from '../src/intent/transaction.js'
import { parseTypedData } from '../src/intent/typeddata.js'
import { read } from '../src/worker/history.js'
import { siteOf } from '../src/worker/ports.js'
import { me, Node, second } from './world.js'

describe('text', () => {
  it('cannot hide, turn or break what stands around it', () => {
    expect(printable('a\u202eb\u200bc\u0000d\ufeff\n')).toBe('a·b·c·d·\n')
    expect(line('  a\n\n\u3164b\u2028c\t ')).toBe('a b c·')
    expect(line('x'.repeat(100))).toBe(`${'x'.repeat(80)}…`)
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (s) => {
      expect(printable(s)).not.toMatch(/[\p{Cf}\p{Cs}]|[^\P{Cc}\n]/u)
      expect(line(s)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
      expect([...line(s)].length).toBeLessThanOrEqual(81)
    }))
  })
  it('of amounts is exact, both ways', () => {
    fc.assert(fc.property(fc.bigInt(0n, (1n << 128n) - 1n), (n) => {
      expect(unitsOf(coins(n).replace(' AITBC', ''))).toBe(n)
    }))
    for (const bad of ['', '-1', '1e3', '1.', '.5', '0x1', '1.0000000000000000001', '1,5', '9'.repeat(21), 'NaN']) expect(unitsOf(bad)).toBeNull()
  })
})

describe('addresses', () => {
  it('are read in both spellings', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (b) => {
      const a = getAddress(`0x${[...b].map((x) => x.toString(16).padStart(2, '0')).join('')}`)
      expect([readAddress(aitbc1(a)), readAddress(` ${a.toLowerCase()} `), readAddress(a)]).toEqual([a, a, a])
    }))
  })
  it('with a typing error are refused', () => {
    const wrong = aitbc1(me)
    for (const bad of ['', '0x12', me.replace('f39F', 'f39f'), `${wrong.slice(0, -1)}${wrong.endsWith('q') ? 'p' : 'q'}`, 'aitbc1', 'cosmos1qqqq', second.slice(2)]) expect(() => readAddress(bad)).toThrow()
  })
})

describe('calls of our contracts', () => {
  const of = (name: string, functionName: string, args: unknown[], value = 0n) => {
    const p = predeploys.find((x) => x.name === name)!
    const tx = { chainId: 9, nonce: 0, to: p.address as Address, value, data: encodeFunctionData({ abi: p.abi, functionName, args }), gas: 1n, maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }
    return title(transactionIntent(tx, me, 9), tx)
  }
  it('are said in plain words', () => {
    expect(of('Market', 'openSession', [second, me, 1_900_000_000n], 2n * 10n ** 18n)).toBe('Lock 2 AITBC for jobs at the coordinator 0x709979…dc79C8 until 2030-03-17 17:46:40Z; 0xf39Fd6…b92266 may spend it')
    expect(of('Staking', 'delegate', [second], 10n ** 18n)).toBe('Delegate 1 AITBC to the validator 0x709979…dc79C8')
    expect(of('Governor', 'castVoteWithReason', [9n, 1, 'yes\u202e\nall of it'])).toBe('Vote for proposal 9: “yes· all of it”')
    expect(of('Faucet', 'drip', [me])).toBe('Ask the faucet for test coins for 0xf39Fd6…b92266')
    expect(of('Market', 'sweep', [])).toBe("Call sweep of AITBC's Market")
  })
  it('are read to the last byte, whatever the bytes are', () => {
    fc.assert(fc.property(fc.constantFrom(...predeploys), fc.uint8Array({ maxLength: 400 }), fc.nat(), (p, tail, n) => {
      const functions = p.abi.filter((f) => f.type === 'function')
      const selector = toFunctionSelector(functions[n % functions.length] as AbiFunction)
      const data = `${selector}${[...tail].map((x) => x.toString(16).padStart(2, '0')).join('')}` as const
      const call = unpack(p.abi, data)
      if (call) expect(encodeFunctionData({ abi: [functions[n % functions.length]!], args: [...call.args] } as never)).toBe(data)
    }), { numRuns: 300 })
  })
})

describe('typed data', () => {
  it('of any shape is read or refused, and nothing else', () => {
    fc.assert(fc.property(fc.oneof(fc.json(), fc.record({ types: fc.dictionary(fc.constantFrom('A', 'B', '__proto__', 'EIP712Domain'), fc.array(fc.record({ name: fc.constantFrom('a', 'b', '__proto__'), type: fc.constantFrom('A', 'B', 'uint8', 'string[]', 'A[2]', 'bytes32') }), { maxLength: 3 })), primaryType: fc.constantFrom('A', 'B'), domain: fc.constant({}), message: fc.object() }).map((d) => JSON.stringify(d))), (text) => {
      try {
        expect(parseTypedData(text).digest).toMatch(/^0x[0-9a-f]{64}$/)
      } catch (e) {
        expect((e as Error).name).toBe('BadTypedData')
      }
    }), { numRuns: 500 })
  })
})

describe('what an explorer says', () => {
  it('is shown only if it is a transaction', () => {
    const good = { hash: `0x${'a'.repeat(64)}`, from: second, to: me, value: '5', time: '2026-11-27T00:00:00Z', ok: true, height: 3, method: 'x\u202e' }
    expect(read(good, me)).toMatchObject({ text: 'Call x·', state: 'included' })
    expect(read({ ...good, method: '' }, me)).toMatchObject({ text: 'Received' })
    for (const bad of [null, 1, {}, { ...good, hash: 'javascript:1' }, { ...good, value: '-5' }, { ...good, value: 5 }, { ...good, from: '0x' }, { ...good, time: 'x' }]) expect(read(bad, me)).toBeNull()
    fc.assert(fc.property(fc.jsonValue(), (v) => void read(v, me)))
  })
})

describe('who may ask', () => {
  const sender = (origin: string, more = {}) => ({ origin, tab: { id: 1 }, documentId: 'D', frameId: 0, ...more }) as chrome.runtime.MessageSender
  it.each(['https://a.example', 'https://a.example:8443', 'http://localhost:5173', 'http://127.0.0.1:3000'])('%s', (origin) => expect(siteOf(sender(origin))?.origin).toBe(origin))
  it.each(['http://a.example', 'null', 'file://', 'chrome-extension://abc', '', 'http://localhost.evil.example', 'http://127.0.0.1.evil.example'])('not "%s"', (origin) => expect(siteOf(sender(origin))).toBeNull())
  it('no frame within a page, and nobody without a document', () => {
    expect(siteOf(sender('https://a.example', { frameId: 3 }))).toBeNull()
    expect(siteOf(sender('https://a.example', { documentId: undefined }))).toBeNull()
    expect(siteOf(undefined)).toBeNull()
  })
})

describe('networks', () => {
  it('are asked over TLS, or on this machine', () => {
    expect([goodURL('https://rpc.example/'), goodURL(' http://127.0.0.1:8545 '), goodURL('http://localhost:1')]).toEqual(['https://rpc.example', 'http://127.0.0.1:8545', 'http://localhost:1'])
    for (const bad of ['http://rpc.example', 'ftp://x', 'https://u:p@x.example', 'javascript:alert(1)', 'x', '']) expect(goodURL(bad)).toBeNull()
  })
  it('are ours, or refused', async () => {
    const node = new Node()
    expect(await probe(node.ask)).toBe(node.chainId)
    node.ours = false
    await expect(probe(node.ask)).rejects.toThrow(NotOurs)
    node.online = false
    await expect(probe(node.ask)).rejects.toThrow(Unreachable)
    await expect(probe(async () => '0x0')).rejects.toThrow(NotOurs)
    await expect(probe(async () => ({}))).rejects.toThrow(Unreachable)
  })
  it('refuse in words', () => {
    expect(explain(new NodeError(-32000, 'insufficient funds for transfer'))).toContain('too little')
    expect(explain(new NodeError(3, 'execution reverted', '0x12345678'))).toContain('nobody can read')
    expect(explain(new NodeError(3, 'execution reverted'))).toContain('no reason')
    expect(explain(new NodeError(-1, 'x\u202e\n'.repeat(300)))).not.toMatch(/[\u202e\n]/)
  })
})
