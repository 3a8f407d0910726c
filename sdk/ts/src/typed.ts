// The typed data of docs/PROTOCOL.md section 3, for viem.
import { encodeAbiParameters, hashTypedData, keccak256, recoverAddress, type Address, type Hex } from 'viem'

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
    { name: 'items', type: 'uint64' },
    { name: 'promptRate', type: 'uint128' },
    { name: 'completionRate', type: 'uint128' },
    { name: 'secondRate', type: 'uint128' },
    { name: 'itemRate', type: 'uint128' },
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
  return { name: 'AITBC', version: '1', chainId, verifyingContract: market.toLowerCase() as Address } as const
}

/** The JSON form of a signed object, as bundles and vectors carry it. */
export type Message = Record<string, string | number>

/** A client's authority to charge for one job; its digest is the job's id. */
export interface Order {
  session: number
  number: number
  model: Hex
  class: Hex
  input: Hex
  miners: Hex
  maxPrice: string
  deadline: number
}

/** Pays for all orders of a session up to number through. */
export interface Voucher {
  session: number
  through: number
  cumulative: string
}

/** What ran, on which input, with which output, for how much. */
export interface Receipt {
  version: number
  order: Hex
  session: number
  client: Address
  coordinator: Address
  miner: Address
  model: Hex
  class: Hex
  output: Hex
  promptTokens: number
  completionTokens: number
  computeMillis: number
  items: number
  promptRate: string
  completionRate: string
  secondRate: string
  itemRate: string
  price: string
  temperatureMilli: number
  topPMilli: number
  topK: number
  seed: string
  startedAt: number
  finishedAt: number
  level: number
  evidence: Hex
}

/** A network, as everything that is signed names it. */
export interface Domain {
  chainId: number
  market: Address
}

function valuesOf(primaryType: TypeName, message: object): Record<string, bigint | number | string> {
  const values: Record<string, bigint | number | string> = {}
  for (const { name, type } of types[primaryType]) {
    const value = (message as Message)[name]
    if (value === undefined) throw new Error(`${primaryType}.${name} is missing`)
    values[name] = /^uint(64|128)$/.test(type) ? BigInt(value) : value
  }
  return values
}

/** What viem's accounts and wallet clients have that can sign typed data. */
export interface Signer {
  readonly address: Address
  signTypedData(typed: never): Promise<Hex>
}

/** Signs an object of the protocol. */
export function sign(signer: Signer, d: Domain, primaryType: TypeName, message: object): Promise<Hex> {
  const typed = { domain: domain(d.chainId, d.market), types: { [primaryType]: types[primaryType] }, primaryType, message: valuesOf(primaryType, message) }
  return signer.signTypedData(typed as never)
}

/** The account that signed an object of the protocol. */
export function signerOf(d: Domain, primaryType: TypeName, message: object, signature: Hex): Promise<Address> {
  return recoverAddress({ hash: digest(d.chainId, d.market, primaryType, message), signature })
}

/** The EIP-712 digest of a message given as JSON. An order's digest is its job id. */
export function digest(chainId: number, market: Address, primaryType: TypeName, message: object): Hex {
  return hashTypedData({ domain: domain(chainId, market), types, primaryType, message: valuesOf(primaryType, message) as never })
}

/** The id of the receipt of a job, known when the job is ordered. */
export function receiptId(chainId: number, job: Hex): Hex {
  return keccak256(encodeAbiParameters([{ type: 'uint256' }, { type: 'bytes32' }], [BigInt(chainId), job]))
}
