// Reads what sites send. What is not understood to the last field is refused.
import { getAddress, isAddress, type Address, type Hex } from 'viem'
import type { Wanted } from '../chain/build.js'
import { goodURL } from '../chain/network.js'
import { line } from '../intent/text.js'
import { badParams } from './errors.js'

type Fields = Record<string, unknown>

function listOf(params: unknown): unknown[] {
  if (params === undefined || params === null) return []
  if (!Array.isArray(params)) throw badParams('The parameters are no list.')
  return params
}

function objectOf(v: unknown, what: string): Fields {
  if (typeof v !== 'object' || v === null || Array.isArray(v)) throw badParams(`${what} is no object.`)
  return v as Fields
}

/** An address in any case; one in both cases must have the right checksum. */
export function addressIn(v: unknown, what: string): Address {
  if (typeof v !== 'string' || !/^0x[0-9a-fA-F]{40}$/.test(v)) throw badParams(`${what} is no address.`)
  const digits = v.slice(2)
  const mixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase()
  if (mixed && !isAddress(v)) throw badParams(`${what} is no address: its checksum is wrong.`)
  return getAddress(v.toLowerCase())
}

function quantityIn(v: unknown, what: string): bigint {
  if (typeof v !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(v)) throw badParams(`${what} is no quantity such as 0x1f.`)
  return BigInt(v)
}

function dataIn(v: unknown, what: string): Hex {
  if (typeof v !== 'string' || !/^0x([0-9a-fA-F]{2})*$/.test(v)) throw badParams(`${what} is no data such as 0x1f2e.`)
  return v.toLowerCase() as Hex
}

const txFields = ['from', 'to', 'value', 'data', 'input', 'gas', 'gasPrice', 'maxFeePerGas', 'maxPriorityFeePerGas', 'chainId', 'type', 'nonce', 'accessList']
const gasLimit = 1n << 24n // EIP-7825

/** The parameters of eth_sendTransaction. The wallet chooses the number itself. */
export function transactionParams(params: unknown, chainId: number): Wanted {
  const list = listOf(params)
  if (list.length !== 1) throw badParams('eth_sendTransaction takes one transaction.')
  const t = objectOf(list[0], 'The transaction')
  const present = Object.keys(t).filter((k) => t[k] !== undefined && t[k] !== null)
  const strange = present.find((k) => !txFields.includes(k))
  if (strange !== undefined) throw badParams(`The wallet does not know what ${line(strange, 40)} means in a transaction.`)
  const has = (k: string) => present.includes(k)
  if (has('type') && !['0x0', '0x00', '0x1', '0x01', '0x2', '0x02'].includes(String(t.type))) throw badParams('The wallet does not sign transactions of this type.')
  if (has('accessList') && !(Array.isArray(t.accessList) && t.accessList.length === 0)) throw badParams('The wallet does not sign access lists.')
  if (has('chainId') && quantityIn(t.chainId, 'chainId') !== BigInt(chainId)) throw badParams(`The transaction is for another chain than ${chainId}.`)
  const data = has('data') ? dataIn(t.data, 'data') : has('input') ? dataIn(t.input, 'input') : '0x'
  if (has('data') && has('input') && dataIn(t.input, 'input') !== data) throw badParams('data and input differ.')
  if (data.length > 2 + 2 * 128 * 1024) throw badParams('The data are too long for a transaction.')
  const to = has('to') ? addressIn(t.to, 'to') : null
  if (to === null && data === '0x') throw badParams('The transaction says neither to whom nor what.')
  const gas = has('gas') ? quantityIn(t.gas, 'gas') : null
  if (gas !== null && (gas < 21_000n || gas > gasLimit)) throw badParams('gas is out of bounds.')
  const cap = has('maxFeePerGas') ? quantityIn(t.maxFeePerGas, 'maxFeePerGas') : has('gasPrice') ? quantityIn(t.gasPrice, 'gasPrice') : null
  const tip = has('maxPriorityFeePerGas') ? quantityIn(t.maxPriorityFeePerGas, 'maxPriorityFeePerGas') : null
  return { from: addressIn(t.from, 'from'), to, value: has('value') ? quantityIn(t.value, 'value') : 0n, data, gas, maxFeePerGas: cap, maxPriorityFeePerGas: tip }
}

/** The parameters of personal_sign: the message, as bytes in hex or as text, and the account. */
export function messageParams(params: unknown): { from: Address; message: Uint8Array } {
  const [message, account] = listOf(params)
  if (typeof message !== 'string' || message.length > 1 << 18) throw badParams('The message is no text, or too long.')
  if (/^0x[0-9a-fA-F]{40}$/.test(message) && !(typeof account === 'string' && /^0x[0-9a-fA-F]{40}$/.test(account))) throw badParams('The message comes first, then the account.')
  const from = addressIn(account, 'The account')
  if (!/^0x([0-9a-fA-F]{2})*$/.test(message)) {
    if (!message.isWellFormed()) throw badParams('The message is no text.')
    return { from, message: new TextEncoder().encode(message) }
  }
  return { from, message: Uint8Array.from(message.slice(2).match(/../g) ?? [], (d) => parseInt(d, 16)) }
}

/** The parameters of eth_signTypedData_v4: the account, and the typed data in JSON or as an object. */
export function typedParams(params: unknown): { from: Address; json: string } {
  const [account, typed] = listOf(params)
  const from = addressIn(account, 'The account')
  const json = typeof typed === 'string' ? typed : JSON.stringify(objectOf(typed, 'The typed data'))
  return { from, json }
}

function chainIn(v: unknown): number {
  const id = quantityIn(v, 'chainId')
  if (id < 1n || id > BigInt(Number.MAX_SAFE_INTEGER)) throw badParams('chainId is out of bounds.')
  return Number(id)
}

/** The parameter of wallet_switchEthereumChain. */
export function switchParams(params: unknown): number {
  return chainIn(objectOf(listOf(params)[0], 'The parameter').chainId)
}

/** A network that a site proposes. */
export interface Proposed {
  chainId: number
  name: string
  rpc: string
  explorer: string
}

/** The parameter of wallet_addEthereumChain (EIP-3085). */
export function addParams(params: unknown): Proposed {
  const p = objectOf(listOf(params)[0], 'The parameter')
  const chainId = chainIn(p.chainId)
  const url = (v: unknown) => (Array.isArray(v) ? v.map((u) => (typeof u === 'string' ? goodURL(u) : null)).find((u) => u !== null) : undefined)
  const rpc = url(p.rpcUrls)
  if (!rpc) throw badParams('rpcUrls has no https URL.')
  const currency = p.nativeCurrency
  if (currency !== undefined && currency !== null && objectOf(currency, 'nativeCurrency').decimals !== 18) throw badParams('The currency must have 18 decimals.')
  const name = typeof p.chainName === 'string' ? line(p.chainName, 40) : ''
  return { chainId, name: name || `Chain ${chainId}`, rpc, explorer: url(p.blockExplorerUrls) ?? '' }
}

/** The parameter of wallet_requestPermissions and wallet_revokePermissions: eth_accounts alone. */
export function permissionParams(params: unknown): void {
  const keys = Object.keys(objectOf(listOf(params)[0], 'The parameter'))
  if (keys.length !== 1 || keys[0] !== 'eth_accounts') throw badParams('The only permission that there is is eth_accounts.')
}
