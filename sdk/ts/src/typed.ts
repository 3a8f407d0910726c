// The typed data of docs/PROTOCOL.md section 3, for viem.
import { encodeAbiParameters, hashTypedData, keccak256, type Address, type Hex } from 'viem'

/** Field names and types of everything that is signed, in the order of their encoding. */
export const types = {
  Order: [
    { name: 'session', type: 'uint64' },
    { name: 'number', type: 'uint64' },
    { name: 'model', type: 'bytes32' },
    { name: 'class', type: 'bytes32' },
    { name: 'input', type: 'bytes32' },
    { name: 'miners', type: 'bytes32' },
    { name: 'maxPrice', type: 'uint128' },
    { name: 'deadline', type: 'uint64' },
  ],
  Receipt: [
    { name: 'version', type: 'uint8' },
    { name: 'order', type: 'bytes32' },
    { name: 'session', type: 'uint64' },
    { name: 'client', type: 'address' },
    { name: 'coordinator', type: 'address' },
    { name: 'miner', type: 'address' },
    { name: 'model', type: 'bytes32' },
    { name: 'class', type: 'bytes32' },
    { name: 'output', type: 'bytes32' },
    { name: 'promptTokens', type: 'uint64' },
    { name: 'completionTokens', type: 'uint64' },
    { name: 'computeMillis', type: 'uint64' },
    { name: 'promptRate', type: 'uint128' },
    { name: 'completionRate', type: 'uint128' },
    { name: 'price', type: 'uint128' },
    { name: 'temperatureMilli', type: 'uint32' },
    { name: 'topPMilli', type: 'uint32' },
    { name: 'topK', type: 'uint32' },
    { name: 'seed', type: 'uint64' },
    { name: 'startedAt', type: 'uint64' },
    { name: 'finishedAt', type: 'uint64' },
    { name: 'level', type: 'uint8' },
    { name: 'evidence', type: 'bytes32' },
  ],
  Countersignature: [
    { name: 'receipt', type: 'bytes32' },
    { name: 'miner', type: 'address' },
    { name: 'minerTotal', type: 'uint128' },
  ],
  Voucher: [
    { name: 'session', type: 'uint64' },
    { name: 'through', type: 'uint64' },
    { name: 'cumulative', type: 'uint128' },
  ],
  Close: [
    { name: 'session', type: 'uint64' },
    { name: 'cumulative', type: 'uint128' },
  ],
  MinerLogin: [
    { name: 'miner', type: 'address' },
    { name: 'coordinator', type: 'address' },
    { name: 'offers', type: 'bytes32' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  KeyRequest: [
    { name: 'client', type: 'address' },
    { name: 'session', type: 'uint64' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  // Nobody signs it: its digest is what receipts of a direct job name as their order.
  DirectJob: [
    { name: 'job', type: 'uint64' },
    { name: 'client', type: 'address' },
    { name: 'spec', type: 'bytes32' },
    { name: 'model', type: 'bytes32' },
    { name: 'class', type: 'bytes32' },
    { name: 'sealTo', type: 'bytes32' },
    { name: 'miners', type: 'bytes32' },
    { name: 'level', type: 'uint8' },
    { name: 'fee', type: 'uint128' },
    { name: 'acceptBy', type: 'uint64' },
    { name: 'deadline', type: 'uint64' },
    { name: 'callbackGas', type: 'uint32' },
  ],
} as const

/** A name of {@link types}. */
export type TypeName = keyof typeof types

/** The one EIP-712 domain of a network. */
export function domain(chainId: number, market: Address) {
  return { name: 'AITBC', version: '1', chainId, verifyingContract: market } as const
}

/** The JSON form of a signed object, as bundles and vectors carry it. */
export type Message = Record<string, string | number>

/** The EIP-712 digest of a message given as JSON. An order's digest is its job id. */
export function digest(chainId: number, market: Address, primaryType: TypeName, message: Message): Hex {
  const values: Record<string, bigint | number | string> = {}
  for (const { name, type } of types[primaryType]) {
    const value = message[name]
    if (value === undefined) throw new Error(`${primaryType}.${name} is missing`)
    values[name] = /^uint(64|128)$/.test(type) ? BigInt(value) : value
  }
  return hashTypedData({ domain: domain(chainId, market), types, primaryType, message: values as never })
}

/** The id of the receipt of a job, known when the job is ordered. */
export function receiptId(chainId: number, job: Hex): Hex {
  return keccak256(encodeAbiParameters([{ type: 'uint256' }, { type: 'bytes32' }], [BigInt(chainId), job]))
}
