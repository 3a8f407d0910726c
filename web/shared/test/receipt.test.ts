import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Event } from '../src/api.js'
import { checkSettled, checkSigned, parse, placeOf, type Bundle } from '../src/receipt.js'
import { concat, keccak256, type Hex } from 'viem'

const text = readFileSync(new URL('../../../receipt/testdata/vectors/bundle.json', import.meta.url), 'utf8')

/** What the chain said of the vector's batch: its root is in the proof of the settlement's log. */
function chain(b: Bundle): { hash: string; said: Event[] } {
  const place = placeOf(b)!
  const pair = (x: Hex, y: Hex) => keccak256(x.toLowerCase() < y.toLowerCase() ? concat([x, y]) : concat([y, x]))
  const root = b.settlement!.merkle_proof.reduce(pair, keccak256(keccak256(concat([b.receipt_id, b.receipt_digest]))))
  expect(JSON.stringify(b.settlement)).toContain(root.slice(2))
  const settled = { height: place.height, log: place.log, contract: 'Market', name: 'Settled', args: { coordinator: b.receipt.coordinator, root } }
  return { hash: place.hash, said: [settled as unknown as Event] }
}

describe('the vector that Go and Solidity pass', () => {
  it('passes', async () => {
    const b = parse(text)
    const signers = await checkSigned(b, Number(b.chain_id))
    expect(signers.miner).toMatch(/^0x/)
    const { hash, said } = chain(b)
    expect(checkSettled(b, hash, said).name).toBe('Settled')
  })
  it('fails with any changed field', async () => {
    for (const [field, change] of Object.entries({ price: '1', promptTokens: 1, output: `0x${'12'.repeat(32)}`, miner: `0x${'12'.repeat(20)}`, finishedAt: 1 })) {
      const b = parse(text)
      ;(b.receipt as unknown as Record<string, unknown>)[field] = change
      await expect(checkSigned(b, Number(b.chain_id)), field).rejects.toThrow()
    }
  })
  it('fails on another chain, block or root', async () => {
    const b = parse(text)
    await expect(checkSigned(b, 1)).rejects.toThrow(/chain/)
    const { hash, said } = chain(b)
    expect(() => checkSettled(b, `0x${'0'.repeat(64)}`, said)).toThrow(/another hash/)
    expect(() => checkSettled(b, hash, [])).toThrow(/no batch/)
    const other = structuredClone(said)
    other[0]!.args['root'] = `0x${'0'.repeat(64)}`
    expect(() => checkSettled(b, hash, other)).toThrow(/not in the batch/)
  })
  it('is read as aitbc receipts and coordinators write it, and not out of other JSON', () => {
    expect(parse(`[${text}]`)).toEqual(parse(text))
    expect(parse(`{"receipts":[${text}]}`)).toEqual(parse(text))
    expect(() => parse('{}')).toThrow(/no receipt/)
    expect(() => parse('{"receipts":[]}')).toThrow()
  })
})
