// What of a contract's interface is read, written and explained.
import type { ContractDetail } from '@aitbc/shared'
import { BaseError, ContractFunctionRevertedError, type Abi, type AbiEvent, type AbiFunction } from 'viem'
import { signature } from './values.js'

type AbiError = Extract<Abi[number], { type: 'error' }>

export interface Interface {
  reads: AbiFunction[]
  writes: AbiFunction[]
  /** Errors and events, by which answers are understood. */
  words: (AbiError | AbiEvent)[]
  /** The contract takes calls without data. */
  receives: boolean
}

/** The interface by which a contract is called: its own, and that of what it hands calls to. */
export function interfaceOf(c: ContractDetail): Interface | null {
  const all = [...(c.abi ?? []), ...(c.implementation?.abi ?? [])] as Abi
  if (!c.abi && !c.implementation?.abi) return null
  const functions = new Map(all.filter((x): x is AbiFunction => x.type === 'function').map((f) => [signature(f), f]))
  const read = (f: AbiFunction) => f.stateMutability === 'view' || f.stateMutability === 'pure'
  const list = [...functions.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return {
    reads: list.filter(read),
    writes: list.filter((f) => !read(f)),
    words: all.filter((x): x is AbiError | AbiEvent => x.type === 'error' || x.type === 'event'),
    receives: all.some((x) => x.type === 'receive'),
  }
}

/** Why a contract refused a call, in its own words; null if it was not that. */
export function refusal(e: unknown): string | null {
  if (!(e instanceof BaseError)) return null
  const why = e.walk((x) => x instanceof ContractFunctionRevertedError)
  if (!(why instanceof ContractFunctionRevertedError)) return null
  const { data, reason, signature: unknown } = why
  if (data && data.errorName !== 'Error' && data.errorName !== 'Panic') {
    const names = data.abiItem && 'inputs' in data.abiItem ? data.abiItem.inputs : []
    return `${data.errorName}(${(data.args ?? []).map((a, i) => `${names[i]?.name ? `${names[i].name} ` : ''}${plain(a)}`).join(', ')})`
  }
  if (reason) return reason
  return unknown ? `an error ${unknown} that is not in its interface` : 'no reason given'
}

/** A value in one line. */
export function plain(v: unknown): string {
  if (Array.isArray(v)) return `[${v.map(plain).join(', ')}]`
  if (v !== null && typeof v === 'object') return `(${Object.entries(v).map(([k, x]) => `${k}: ${plain(x)}`).join(', ')})`
  return String(v)
}
