// The check of a receipt, in the browser: its signatures and price, its place in
// the batch's tree, and that the batch's root is what the chain says. What the
// chain says comes from the server that the page came from; `aitbc verify` needs
// no server at all.
import { fromRlp, hexToNumber, keccak256, type Address, type Hex } from 'viem'
import type { Bundle as Signed } from '../../../sdk/ts/src/api.js'
import { leaf, verifyProof } from '../../../sdk/ts/src/merkle.js'
import { Disagreement, verifySigned, type Signers } from '../../../sdk/ts/src/verify.js'
import type { Event } from './api.js'

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

export { Disagreement }
