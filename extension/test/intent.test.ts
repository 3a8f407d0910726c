// What the wallet says of a request is what the wallet daemon says of it.
import { hexToBytes, getAddress, hashTypedData, type Address, type Hex } from 'viem'
import { describe, expect, it } from 'vitest'
import { isBlind, Refused, type Intent } from '../src/intent/intent.js'
import { messageIntent } from '../src/intent/message.js'
import { parseSignIn } from '../src/intent/siwe.js'
import { transactionIntent } from '../src/intent/transaction.js'
import { typedIntent } from '../src/intent/typed.js'
import { parseTypedData } from '../src/intent/typeddata.js'
import { types } from '../../sdk/ts/src/typed.js'
import { vectors } from './read.js'

interface Vector {
  name: string
  from: Address
  chain: number
  tx?: { chain_id: number; nonce: number; to: Address | null; value: string; data: Hex; gas: number; fee_cap: number; tip_cap: number }
  typed?: string
  message?: Hex
  refused?: boolean
  intent?: { kind: string; summary: string; from: Address; to?: Address; amount: string; worth: string; parties?: Address[]; fields: { name: string; value: string }[] | null; opaque?: boolean; unknown?: boolean; warning?: string; digest: Hex }
}

const all = vectors<Vector[]>('wallet/intent/testdata/vectors/intents.json')

function decide(v: Vector): Intent {
  const from = getAddress(v.from)
  if (v.tx) {
    const t = v.tx
    return transactionIntent({ chainId: t.chain_id, nonce: t.nonce, to: t.to, value: BigInt(t.value), data: t.data, gas: BigInt(t.gas), maxFeePerGas: BigInt(t.fee_cap), maxPriorityFeePerGas: BigInt(t.tip_cap) }, from, v.chain)
  }
  if (v.typed) return typedIntent(v.typed, from, v.chain)
  return messageIntent(hexToBytes(v.message ?? '0x'), from, v.chain, null)
}

describe('the vectors of wallet/intent', () => {
  it('are there', () => expect(all.length).toBeGreaterThan(45))
  it.each(all.map((v) => [v.name, v] as const))('%s', (_, v) => {
    if (v.refused) {
      expect(() => decide(v)).toThrow(Refused)
      return
    }
    const want = v.intent!
    const got = decide(v)
    expect({
      kind: got.kind, summary: got.summary, from: got.from.toLowerCase(), to: got.to?.toLowerCase(), amount: String(got.amount), worth: String(got.worth),
      parties: got.parties.map((p) => p.toLowerCase()), fields: got.fields, opaque: got.opaque, unknown: got.unknown, warning: got.warning, digest: got.digest,
    }).toEqual({
      kind: want.kind, summary: want.summary, from: want.from, to: want.to, amount: want.amount, worth: want.worth,
      parties: want.parties ?? [], fields: want.fields ?? [], opaque: want.opaque ?? false, unknown: want.unknown ?? false, warning: want.warning ?? '', digest: want.digest,
    })
  })
})

describe('typed data', () => {
  const file = vectors<{ chainId: number; verifyingContract: Address; vectors: { type: keyof typeof types; message: Record<string, string | number>; digest: Hex }[] }>('receipt/testdata/vectors/typed.json')
  it.each(file.vectors.map((v) => [v.type, v] as const))('of the protocol hashes as in Go and Solidity: %s', (type, v) => {
    const doc = { types: { [type]: types[type] }, primaryType: type, domain: { name: 'AITBC', version: '1', chainId: file.chainId, verifyingContract: file.verifyingContract }, message: v.message }
    expect(parseTypedData(JSON.stringify(doc)).digest).toBe(v.digest)
  })

  it('hashes as viem does', () => {
    const doc = {
      types: { Person: [{ name: 'name', type: 'string' }, { name: 'wallets', type: 'address[2][]' }], Mail: [{ name: 'from', type: 'Person' }, { name: 'n', type: 'int64' }, { name: 'raw', type: 'bytes3' }] },
      primaryType: 'Mail' as const, domain: { name: 'Mail', version: '2' },
      message: { from: { name: 'é', wallets: [['0x70997970c51812dc3a010c7d01b50e0d17dc79c8', '0x70997970c51812dc3a010c7d01b50e0d17dc79c8']] }, n: -7, raw: '0xabcdef' },
    }
    expect(parseTypedData(JSON.stringify(doc)).digest).toBe(hashTypedData({ ...doc, message: { ...doc.message, n: -7n } } as never))
  })

  const good = { types: { A: [{ name: 'n', type: 'uint8' }] }, primaryType: 'A', domain: { name: 'x' }, message: { n: 1 } }
  it.each<[string, object]>([
    ['a field that is not declared', { ...good, message: { n: 1, m: 2 } }],
    ['a field that is missing', { ...good, message: {} }],
    ['a number out of range', { ...good, message: { n: 256 } }],
    ['a fraction', { ...good, message: { n: 1.5 } }],
    ['a number that JavaScript rounds', { ...good, types: { A: [{ name: 'n', type: 'uint256' }] }, message: { n: 2 ** 60 } }],
    ['a type that is not declared', { ...good, types: { A: [{ name: 'n', type: 'B' }] } }],
    ['a type that hides one of the language', { ...good, types: { ...good.types, uint8: [{ name: 'x', type: 'string' }] } }],
    ['a domain of another shape', { ...good, types: { ...good.types, EIP712Domain: [{ name: 'name', type: 'bytes' }] }, domain: { name: '0x' } }],
    ['something beside', { ...good, more: 1 }],
    ['the domain as the message', { ...good, primaryType: 'EIP712Domain' }],
    ['itself within itself', { ...good, types: { A: [{ name: 'n', type: 'A' }] }, message: { n: { n: { n: 1 } } } }],
  ])('is refused with %s', (_, doc) => {
    expect(() => parseTypedData(JSON.stringify(doc))).toThrow('not typed data')
  })
})

describe('sign-ins', () => {
  const asker = { origin: 'https://market.example', now: Date.parse('2026-11-27T00:00:00Z') }
  const me = getAddress('0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266')
  const text = (o: { domain?: string; uri?: string; more?: string } = {}) =>
    new TextEncoder().encode(`${o.domain ?? 'market.example'} wants you to sign in with your Ethereum account:\n${me}\n\n\nURI: ${o.uri ?? 'https://market.example/'}\nVersion: 1\nChain ID: 9\nNonce: 12345678\nIssued At: 2026-11-26T00:00:00Z${o.more ?? ''}`)

  it('are read as viem writes them', () => {
    for (const v of vectors<{ message: string; fields: { domain: string; uri: string } }[]>('wallet/siwe/testdata/viem.json')) {
      expect(parseSignIn(v.message)).toMatchObject({ domain: v.fields.domain, uri: v.fields.uri })
    }
  })
  it('to the site that asks are shown', () => {
    expect(messageIntent(text(), me, 9, asker)).toMatchObject({ kind: 'sign_in', summary: `Sign in to market.example as ${me}`, warning: '' })
  })
  it('to another site are refused', () => {
    expect(() => messageIntent(text({ domain: 'bank.example' }), me, 9, asker)).toThrow('stolen')
    expect(() => messageIntent(text({ domain: 'http://market.example' }), me, 9, asker)).toThrow(Refused)
  })
  it('with a URI of another site are warned about', () => {
    expect(messageIntent(text({ uri: 'https://bank.example/' }), me, 9, asker).warning).toContain('bank.example')
  })
  it('that have expired are refused', () => {
    expect(() => messageIntent(text({ more: '\nExpiration Time: 2026-11-26T10:00:00Z' }), me, 9, asker)).toThrow('expired')
  })
  it('that only look like one are refused', () => {
    expect(() => messageIntent(text({ more: '\nAnd more: 1' }), me, 9, asker)).toThrow('none of EIP-4361')
  })
})

describe('blind signing', () => {
  it.each<[string, boolean]>([
    ['transfer', false], ['open a session', false], ['order', false], ['voucher', false], ['token: approve', false], ['sign-in', false], ['text', false],
    ['an unknown contract', true], ['bytes behind a call', true], ['deploy', true], ['permit', true], ['voucher of another contract', true], ['a hash', true],
  ])('%s: %s', (name, blind) => {
    expect(isBlind(decide(all.find((v) => v.name === name)!))).toBe(blind)
  })
})
