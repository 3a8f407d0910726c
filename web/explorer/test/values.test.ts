import { decodeFunctionResult, encodeFunctionData, encodeFunctionResult, parseAbi, parseAbiItem, parseAbiParameters, type AbiFunction, type AbiParameter } from 'viem'
import { describe, expect, it } from 'vitest'
import { interfaceOf } from '../src/contract/abi.js'
import { open } from '../src/contract/input.js'
import { parse, signature, typeOf } from '../src/contract/values.js'

const param = (text: string) => parseAbiParameters(text)[0] as AbiParameter
const most = 2n ** 256n - 1n

describe('what a person writes', () => {
  it('is taken exactly', () => {
    expect(parse(param('uint256'), String(most))).toBe(most)
    expect(parse(param('int256'), String(-(2n ** 255n)))).toBe(-(2n ** 255n))
    expect(parse(param('uint256'), ' 0xff ')).toBe(255n)
    expect(parse(param('uint8'), '7')).toBe(7)
    expect(parse(param('bool'), 'true')).toBe(true)
    expect(parse(param('string'), ' as it "is" ')).toBe(' as it "is" ')
    expect(parse(param('bytes'), '0x')).toBe('0x')
    expect(parse(param('uint256[]'), `[1, ${most}, "3"]`)).toEqual([1n, most, 3n])
    expect(parse(param('bytes4[2]'), '[0x01020304, 0xffffffff]')).toEqual(['0x01020304', '0xffffffff'])
    expect(parse(param('(uint256 a, string b)[]'), '[[1, "12"], {"b": "x 5", "a": 9007199254740993}]')).toEqual([{ a: 1n, b: '12' }, { a: 9007199254740993n, b: 'x 5' }])
    expect(parse(param('(uint256, bool)'), '[5, true]')).toEqual([5n, true])
    expect(parse(param('address'), '0x000000000000000000000000000000000000a102')).toBe('0x000000000000000000000000000000000000a102')
  })

  it.each([
    ['uint256', '-1', 'from 0'], ['uint8', '256', 'to 255'], ['int8', '128', 'to 127'], ['uint256', '1.5', 'whole number'], ['uint256', '', 'whole number'], ['uint256', '1e3', 'whole number'],
    ['address', '0x12', '40 hex'], ['address', '0x52908400098527886E0F7030069857D2E4169Ee7', 'mistyped'], ['bytes', '0x1', 'two for each'], ['bytes32', '0x12', '32 bytes'],
    ['bool', 'yes', 'true or false'], ['uint256[2]', '[1]', '2 items'], ['uint256[]', '1', 'a list'], ['uint256[]', '[1', 'JSON'], ['(uint256 a)', '{"b": 1}', 'no b'], ['(uint256 a)', '{}', 'missing'], ['(uint256 a)', '[]', '1 values'],
  ])('%s is not %s', (type, text, why) => {
    expect(() => parse(param(type), text)).toThrow(why)
  })

  it('is what the codec takes, and gives back', () => {
    const f = parseAbiItem(['function f(E[2] e, uint40 n, (int256, bytes)[] x) view returns (E)', 'struct E { address by; uint64 at; string note; }']) as AbiFunction
    const texts = ['[["0x000000000000000000000000000000000000a102", 1, "a"], ["0x000000000000000000000000000000000000a102", 2, "b"]]', '5', '[[-1, 0x00]]']
    const args = f.inputs.map((p, i) => parse(p, texts[i]!))
    expect(encodeFunctionData({ abi: [f], args } as never)).toMatch(/^0x/)
    const e = (args[0] as unknown[])[1]
    expect(decodeFunctionResult({ abi: [f], data: encodeFunctionResult({ abi: [f], result: e } as never) } as never)).toEqual(e)
    expect(signature(f)).toBe('f((address,uint64,string)[2],uint40,(int256,bytes)[])')
    expect(typeOf(f.inputs[0]!)).toBe('(address,uint64,string)[2]')
  })
})

it('a proxy is called by its implementation’s interface', () => {
  const abi = parseAbi(['function a() view returns (uint256)', 'function b() payable', 'error E()', 'function a(uint256) pure'])
  const of = (own: unknown[] | null, behind: unknown[] | null) => interfaceOf({ abi: own, implementation: behind ? { abi: behind } : null } as never)
  expect(of(null, null)).toBeNull()
  const i = of([...abi.slice(0, 1)], [...abi])!
  expect(i.reads.map(signature)).toEqual(['a()', 'a(uint256)'])
  expect(i.writes.map(signature)).toEqual(['b()'])
  expect(i.words).toHaveLength(1)
})

describe('the compiler’s input', () => {
  const input = { language: 'Solidity', sources: { '@x/y.sol': { content: 'contract Y {}' }, 'src/a.sol': { content: '// contract No\nabstract contract B {}\n  contract A is B {}' } }, settings: { a: 1 } }
  it('is found by itself and in a build-info file, the project’s own contracts first', () => {
    expect(open(JSON.stringify({ ...input, extra: 1 }))).toEqual({ input, compiler: '', contracts: ['src/a.sol:B', 'src/a.sol:A', '@x/y.sol:Y'] })
    expect(open(JSON.stringify({ input, solcVersion: '0.8.1', solcLongVersion: '0.8.1+commit.aabbccdd', output: {} })).compiler).toBe('0.8.1+commit.aabbccdd')
  })
  it.each([['{', 'not JSON'], ['null', 'not the compiler'], ['{"abi":[]}', 'no sources'], ['{"sources":{"a.sol":{"urls":["x"]}}}', 'a.sol has no content'], ['{"sources":{"a.sol":{"content":""}}}', 'has a contract']])('%s is refused', (text, why) => {
    expect(() => open(text)).toThrow(why)
  })
})
