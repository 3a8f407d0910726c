// The intent of a transaction, from the very fields that are signed.
import { getAddress, keccak256, serializeTransaction, size, type Address, type Hex } from 'viem'
import { decodeCall } from './call.js'
import { blank, field, Refused, type Intent } from './intent.js'
import { coins } from './text.js'

/** A transaction of EIP-1559, complete but for its signature. */
export interface Tx {
  chainId: number
  nonce: number
  to: Address | null
  value: bigint
  data: Hex
  gas: bigint
  maxFeePerGas: bigint
  maxPriorityFeePerGas: bigint
}

/** The bytes that are hashed and signed. */
export function unsigned(tx: Tx): Hex {
  return serializeTransaction({ type: 'eip1559', ...tx, to: tx.to ?? undefined })
}

const limit = 1n << 128n

/** Decodes a transaction of an account on a chain. */
export function transactionIntent(tx: Tx, from: Address, chainId: number): Intent {
  if (tx.chainId !== chainId) throw new Refused(`The transaction is for chain ${tx.chainId}, this one is ${chainId}.`)
  const fee = tx.maxFeePerGas * tx.gas
  if (tx.value >= limit || fee >= limit || tx.value + fee >= limit) throw new Refused('The transaction moves more than there can be.')
  const i = blank('transfer', from)
  i.to = tx.to && getAddress(tx.to)
  i.amount = tx.value
  i.worth = tx.value + fee
  i.digest = keccak256(unsigned(tx))
  if (i.to) i.parties = [i.to]
  if (i.to === null) {
    i.kind = 'deploy'
    i.opaque = i.unknown = true // it can pass on what it is given
    i.summary = `Deploy a contract of ${size(tx.data)} bytes`
    field(i, 'code hash', keccak256(tx.data))
  } else if (tx.data === '0x') {
    i.summary = `Send ${coins(tx.value)} to ${i.to}`
  } else {
    i.kind = 'call'
    decodeCall(i, i.to, tx.data)
  }
  field(i, 'amount', coins(tx.value))
  field(i, 'highest fee', coins(fee))
  field(i, 'nonce', String(tx.nonce))
  return i
}
