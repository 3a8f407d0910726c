// The vectors that Go and Solidity pass too.
import { readFileSync } from 'node:fs'
import { StandardMerkleTree } from '@openzeppelin/merkle-tree'
import { privateKeyToAccount } from 'viem/accounts'
import { recoverAddress, type Address, type Hex } from 'viem'
import { describe, expect, it } from 'vitest'
import { digest, fee, leaf, price, receiptId, verifyProof, type Message, type TypeName } from '../src/index.js'

const load = (path: string) => JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'))

const typed = load('receipt/testdata/vectors/typed.json') as {
  chainId: number
  verifyingContract: Address
  privateKey: Hex
  signer: Address
  receiptId: Hex
  vectors: { type: TypeName; message: Message; digest: Hex; signature: Hex }[]
}

describe('typed data', () => {
  const key = privateKeyToAccount(typed.privateKey)
  it.each(typed.vectors)('$type', async (v) => {
    const d = digest(typed.chainId, typed.verifyingContract, v.type, v.message)
    expect(d).toBe(v.digest)
    expect(await key.sign({ hash: d })).toBe(v.signature)
    expect((await recoverAddress({ hash: d, signature: v.signature })).toLowerCase()).toBe(typed.signer.toLowerCase())
  })
  it('receipt id', () => {
    expect(receiptId(typed.chainId, `0x${'9'.padStart(64, '0')}`)).toBe(typed.receiptId)
  })
  it('covers every type', () => {
    expect(typed.vectors.length).toBe(8)
  })
})

describe('prices', () => {
  const v = load('market/testdata/vectors/price.json') as { price: Record<string, string>[]; fee: Record<string, string>[] }
  it.each(v.price)('price %#', (c) => {
    const rates = { prompt: BigInt(c.prompt_rate!), completion: BigInt(c.completion_rate!), second: BigInt(c.second_rate!), item: BigInt(c.item_rate!) }
    const usage = { promptTokens: BigInt(c.prompt_tokens!), completionTokens: BigInt(c.completion_tokens!), computeMillis: BigInt(c.compute_millis!), items: BigInt(c.items!) }
    expect(price(rates, usage)).toBe(BigInt(c.price!))
  })
  it.each(v.fee)('fee %#', (c) => {
    expect(fee(BigInt(c.before!), BigInt(c.after!), BigInt(c.bps!))).toBe(BigInt(c.fee!))
  })
})

describe('merkle trees are those of StandardMerkleTree', () => {
  const all = load('receipt/testdata/vectors/merkle.json') as { receipts: [Hex, Hex][]; root: Hex; proofs: Hex[][] }[]
  it.each(all)('$receipts.length receipts', (v) => {
    const tree = StandardMerkleTree.of(v.receipts, ['bytes32', 'bytes32'])
    expect(v.root).toBe(tree.root)
    v.receipts.forEach((r, i) => {
      expect(v.proofs[i]).toEqual(tree.getProof(r))
      expect(verifyProof(v.root, leaf(...r), v.proofs[i]!)).toBe(true)
      expect(verifyProof(v.root, leaf(r[1], r[0]), v.proofs[i]!)).toBe(false)
    })
  })
})
