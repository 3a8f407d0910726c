// What a call of a contract does, or that nobody can tell.
import { decodeFunctionData, encodeFunctionData, getAddress, parseAbi, toFunctionSelector, type Abi, type AbiFunction, type AbiParameter, type Address, type Hex } from 'viem'
import { predeployAt } from '../chain/predeploys.js'
import { field, type Intent } from './intent.js'
import { coins, printable } from './text.js'

// What ERC-20 and ERC-721 tokens understand: enough to tell what leaves the
// account, and who may take it.
const tokens = parseAbi([
  'function transfer(address to, uint256 amount)',
  'function approve(address spender, uint256 amount)',
  'function increaseAllowance(address spender, uint256 amount)',
  'function transferFrom(address from, address to, uint256 amount)',
  'function safeTransferFrom(address from, address to, uint256 id)',
  'function setApprovalForAll(address operator, bool approved)',
]) as Abi

/** A call that was decoded. */
export interface Call {
  name: string
  inputs: readonly AbiParameter[]
  args: readonly unknown[]
}

/** The name of a function; of several with one name, the second is name0, as Go's are. */
function nameIn(abi: Abi, f: AbiFunction): string {
  const taken = new Set<string>()
  for (const other of abi) {
    if (other.type !== 'function') continue
    let name = other.name
    for (let n = 0; taken.has(name); n++) name = `${other.name}${n}`
    taken.add(name)
    if (other === f) return name
  }
  return f.name
}

/** Decodes a call that is exactly what the interface would encode: bytes that it does not show are no part of it. */
export function unpack(abi: Abi, data: Hex): Call | null {
  const selector = data.slice(0, 10).toLowerCase()
  const f = abi.find((item): item is AbiFunction => item.type === 'function' && toFunctionSelector(item) === selector)
  if (!f) return null
  try {
    const { args } = decodeFunctionData({ abi: [f], data })
    if (encodeFunctionData({ abi: [f], functionName: f.name, args: args ?? [] }).toLowerCase() !== data.toLowerCase()) return null
    return { name: nameIn(abi, f), inputs: f.inputs, args: args ?? [] }
  } catch {
    return null
  }
}

/** Decodes a call of a predeploy. */
export function unpackOurs(to: Address, data: Hex): { contract: string; call: Call } | null {
  const p = predeployAt(to)
  const call = p && unpack(p.abi, data)
  return call ? { contract: p.name, call } : null
}

/** Says in the intent what a call does. */
export function decodeCall(i: Intent, to: Address, data: Hex): void {
  field(i, 'contract', getAddress(to))
  if (predeployAt(to)) {
    const ours = unpackOurs(to, data)
    if (ours) {
      i.summary = `Call ${ours.call.name} of AITBC's ${ours.contract}`
      if (i.amount > 0n) i.summary += ` with ${coins(i.amount)}`
      describe(i, ours.call)
      return
    }
  } else {
    const call = unpack(tokens, data)
    if (call) {
      describeToken(i, call, getAddress(to))
      return
    }
  }
  i.opaque = i.unknown = true
  i.summary = `Call ${getAddress(to)}, and nobody can tell what that does`
  if (i.amount > 0n) i.summary += `, with ${coins(i.amount)}`
  field(i, 'data', data.slice(0, 2 + 2 * 4096).toLowerCase())
}

function describe(i: Intent, call: Call): void {
  call.inputs.forEach((input, n) => field(i, input.name || `argument ${n + 1}`, word(input, call.args[n])))
}

// What a token moves is no money of ours, so its worth is unknown.
function describeToken(i: Intent, call: Call, token: Address): void {
  i.unknown = true
  call.inputs.forEach((input, n) => {
    if (input.type === 'address' && input.name !== 'from') i.parties.push(call.args[n] as Address)
  })
  describe(i, call)
  const [a, b, c] = call.args
  switch (call.name) {
    case 'transfer':
      i.summary = `Send ${b} units of the token ${token} to ${a}`
      return
    case 'approve':
    case 'increaseAllowance':
      i.summary = `Let ${a} take ${b} units of the token ${token}`
      if ((b as bigint) >> 128n > 0n) {
        i.summary = `Let ${a} take any number of the token ${token}`
        i.warning = 'This has no limit: the spender can take all there is, now and later.'
      }
      return
    case 'transferFrom':
    case 'safeTransferFrom':
      i.summary = `Send ${c} of the token ${token} from ${a} to ${b}`
      return
    case 'setApprovalForAll':
      i.summary = b ? `Let ${a} take every item of the collection ${token}` : `Let ${a} take nothing more of the collection ${token}`
      if (b) i.warning = 'This has no limit: the operator can take all there is, now and later.'
  }
}

/** A name of a struct's field as Go's decoder has it. */
const camel = (name: string) => name.split('_').map((part) => part.slice(0, 1).toUpperCase() + part.slice(1)).join('')

/** A value of a call for people. */
function word(p: AbiParameter, v: unknown): string {
  const list = /^(.*)\[\d*\]$/.exec(p.type)
  if (list) return `[${(v as unknown[]).map((item) => word({ ...p, type: list[1]! } as AbiParameter, item)).join(', ')}]`
  if (p.type === 'tuple') {
    const parts = (p as { components: readonly AbiParameter[] }).components
    return `{${parts.map((c) => `${camel(c.name ?? '')} ${word(c, (v as Record<string, unknown>)[c.name ?? ''])}`).join(', ')}}`
  }
  if (p.type === 'address') return getAddress(v as string)
  if (p.type.startsWith('bytes')) return (v as string).toLowerCase()
  if (p.type === 'string') return printable(v as string)
  const n = BigInt(v as bigint | number | boolean)
  if (p.type === 'bool') return String(v)
  const small = /^u?int(8|16|32|64)$/.test(p.type)
  return !small && n >= 1n << 40n && n < 1n << 128n ? `${n} (${coins(n)})` : String(n)
}
