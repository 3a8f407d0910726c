// The check of a receipt, in the browser: its signatures and price, its place in
// the batch's tree, and that the batch's root is what the chain says. What the
// chain says comes from the server that the page came from; `aitbc verify` needs
// no server at all.
import { fromRlp, hexToNumber, keccak256, type Address, type Hex } from 'viem'
import type { Bundle as Signed } from '../../../sdk/ts/src/api.js'
import { leaf, verifyProof } from '../../../sdk/ts/src/merkle.js'
import { Disagreement, verifySigned, type Signers } from '../../../sdk/ts/src/verify.js'
import { ask, type Block, type Event, type Page, type Tx, type TxDetail } from './api.js'

/** A receipt with all that shows it: docs/PROTOCOL.md section 6. */
export interface Bundle extends Omit<Signed, 'settlement'> {
  settlement: { merkle_proof: Hex[]; tx_index: number; log_index: number; anchor: { eth_header: Hex } } | null
}

/** The Market of every network. */
const market: Address = '0x000000000000000000000000000000000000a102'

/** Where a bundle says that its receipt was settled. */
export interface Place {
  height: number
  hash: Hex
  tx: number
  log: number
}

/** Reads a bundle's JSON: alone, as the first of a list, or as coordinators answer. */
export function parse(text: string): Bundle {
  const value = JSON.parse(text) as Bundle | Bundle[] | { receipts: Bundle[] } | null
  const bundle = Array.isArray(value) ? value[0] : value && 'receipts' in value ? value.receipts[0] : value
  if (typeof bundle?.order?.maxPrice !== 'string' || typeof bundle.receipt?.price !== 'string' || typeof bundle.receipt.order !== 'string') throw new Disagreement('format: this is no receipt')
  return bundle
}

/** Where the receipt was settled, by the header that the bundle carries; null: not yet. */
export function placeOf(b: Bundle): Place | null {
  if (!b.settlement) return null
  const raw = b.settlement.anchor.eth_header
  const number = (fromRlp(raw, 'hex') as Hex[])[8]
  if (number === undefined) throw new Disagreement('chain: the header is none')
  return { height: hexToNumber(number), hash: keccak256(raw), tx: b.settlement.tx_index, log: b.settlement.log_index }
}

/** Checks all that a client signed, a miner and a coordinator. It throws a Disagreement. */
export function checkSigned(b: Bundle, chainId: number): Promise<Signers> {
  return verifySigned(b as unknown as Signed, { chainId, market })
}

/** Checks that the chain's Settled event at the bundle's place has the receipt under its root. */
export function checkSettled(b: Bundle, blockHash: string, said: Event[]): Event {
  const place = placeOf(b)
  if (!place) throw new Disagreement('settlement: the receipt is not settled yet')
  if (blockHash.toLowerCase() !== place.hash) throw new Disagreement('settlement: the block at that height has another hash')
  const settled = said.find((e) => e.log === place.log && e.contract === 'Market' && e.name === 'Settled')
  if (!settled) throw new Disagreement('settlement: no batch was settled there')
  if (String(settled.args['coordinator']).toLowerCase() !== b.receipt.coordinator.toLowerCase()) throw new Disagreement('settlement: the batch is another coordinator’s')
  if (!verifyProof(settled.args['root'] as Hex, leaf(b.receipt_id, b.receipt_digest), b.settlement!.merkle_proof)) {
    throw new Disagreement('settlement: the receipt is not in the batch')
  }
  return settled
}

/** Whether something holds, and why. */
export interface Verdict {
  ok: boolean
  text: string
}

/** What came of the check of a bundle. */
export interface Checked {
  bundle: Bundle
  signed: Verdict
  settled: Verdict | null // null: not settled yet
  block: Block | null
  tx: TxDetail | null
  event: Event | null
}

/** What an error says. */
export const word = (e: unknown) => (e instanceof Error ? e.message : String(e))

/** Checks a bundle against what the chain says, of which an explorer tells below a path of this origin. */
export async function check(bundle: Bundle, chainId: number, explorer = ''): Promise<Checked> {
  const out: Checked = { bundle, signed: { ok: false, text: '' }, settled: null, block: null, tx: null, event: null }
  try {
    const by = await checkSigned(bundle, chainId)
    out.signed = { ok: true, text: `Signed by ${by.spender} as the session’s spender, by ${by.miner} for the miner and by ${by.coordinator} for the coordinator; the price is what it used costs. Whose keys these are, aitbc verify checks.` }
  } catch (e) {
    out.signed = { ok: false, text: word(e) }
  }
  try {
    const place = placeOf(bundle)
    if (!place) return out
    out.block = await ask<Block>(`${explorer}/api/blocks/${place.height}`)
    const list = await ask<Page<Tx>>(`${explorer}/api/blocks/${place.height}/txs?from=${place.tx}&limit=1`)
    if (list.items[0]) out.tx = await ask<TxDetail>(`${explorer}/api/txs/${list.items[0].hash}`)
    out.event = checkSettled(bundle, out.block.hash, out.tx?.events ?? [])
    out.settled = { ok: true, text: 'The receipt is under the root that this transaction settled, in this block of the chain.' }
  } catch (e) {
    out.settled = { ok: false, text: word(e) }
  }
  return out
}

export { Disagreement }
