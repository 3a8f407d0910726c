// What of a receipt can be checked without a chain: docs/PROTOCOL.md section 6.
import { isAddressEqual, zeroHash, type Address } from 'viem'
import type { Bundle } from './api.js'
import { classHash, minersHash } from './commit.js'
import { price } from './price.js'
import { digest, receiptId, signerOf, type Domain } from './typed.js'

/** Something was said that does not hold: nothing is signed for it. */
export class Disagreement extends Error {
  override name = 'Disagreement'
}

/** Who signed what a bundle holds. Whose these keys are, the chain says. */
export interface Signers {
  spender: Address
  miner: Address
  coordinator: Address
}

/**
 * Checks a bundle's signatures, that the receipt answers the order, and the
 * price: all that there is to check before it is settled. It throws a
 * {@link Disagreement} that names the check which failed.
 */
export async function verifySigned(b: Bundle, d: Domain): Promise<Signers> {
  const need = (ok: boolean, check: string, what: string) => {
    if (!ok) throw new Disagreement(`${check}: ${what}`)
  }
  const { order: o, receipt: r } = b
  need(b.version === 1 && r.version === 1, 'format', 'this program knows version 1')
  need(b.chain_id === String(d.chainId), 'chain', `the bundle is of chain ${b.chain_id}`)
  const job = digest(d.chainId, d.market, 'Order', o)
  need(digest(d.chainId, d.market, 'Receipt', r) === b.receipt_digest, 'chain', 'receipt_digest is another receipt’s')
  need(receiptId(d.chainId, job) === b.receipt_id, 'chain', 'receipt_id is another order’s')
  const recover = async (check: string, ...of: Parameters<typeof signerOf>) => {
    try {
      return await signerOf(...of)
    } catch {
      throw new Disagreement(`${check}: it is not signed`)
    }
  }
  const signers = {
    spender: await recover('order signature', d, 'Order', o, b.order_signature),
    miner: await recover('miner signature', d, 'Receipt', r, b.miner_signature),
    coordinator: await recover('countersignature', d, 'Countersignature', { receipt: b.receipt_digest, miner: r.miner, minerTotal: b.miner_total }, b.countersignature),
  }
  const candidates = b.candidates ?? []
  need(r.order === job && r.session === o.session, 'terms', 'the receipt is for another order')
  need(r.model === o.model, 'terms', 'another model ran than was ordered')
  need(classHash(b.class) === r.class, 'terms', 'the class descriptor is not the receipt’s')
  need(o.class === zeroHash || o.class === r.class, 'terms', 'another class ran than was ordered')
  need(minersHash(candidates) === o.miners, 'terms', 'the candidates are not the order’s')
  need(candidates.length === 0 || candidates.some((c) => isAddressEqual(c, r.miner)), 'terms', 'the miner is none of the candidates')
  need(r.startedAt <= r.finishedAt && Math.floor(r.finishedAt / 1000) <= o.deadline, 'terms', 'it ended before it began, or too late')
  const full = price(
    { prompt: BigInt(r.promptRate), completion: BigInt(r.completionRate), second: BigInt(r.secondRate), item: BigInt(r.itemRate) },
    { promptTokens: BigInt(r.promptTokens), completionTokens: BigInt(r.completionTokens), computeMillis: BigInt(r.computeMillis), items: BigInt(r.items) },
  )
  const most = BigInt(o.maxPrice)
  need(BigInt(r.price) === (full < most ? full : most), 'price', `${r.price} is not what it used costs`)
  return signers
}
