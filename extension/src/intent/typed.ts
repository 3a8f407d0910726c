// The intent of typed data: in words for the protocol's own types, field by
// field for others.
import { getAddress, hashTypedData, type Address, type Hex } from 'viem'
import { types, type TypeName } from '../../../sdk/ts/src/typed.js'
import { marketPredeploy } from '../chain/predeploys.js'
import { blank, Refused, type Intent } from './intent.js'
import { clock, coins, printable } from './text.js'
import { parseTypedData, wholeOf, type TypedData } from './typeddata.js'

const permits = ['Permit', 'PermitSingle', 'PermitTransferFrom', 'PermitBatch']

/** Decodes typed data. It must name this chain, or none. */
export function typedIntent(text: string, from: Address, chainId: number): Intent {
  const d = parseTypedData(text)
  const i = blank('typed_data', from)
  i.digest = d.digest
  i.fields = d.values
  if (d.domain.has('chainId') && wholeOf(d.domain.get('chainId')) !== BigInt(chainId)) {
    throw new Refused(`The typed data is for chain ${printable(String(d.domain.get('chainId')))}, this one is ${chainId}.`)
  }
  const contract = d.domain.get('verifyingContract')
  if (typeof contract === 'string') {
    i.to = getAddress(`0x${contract.slice(2).toLowerCase()}`)
    i.parties = [i.to]
    if (i.to === marketPredeploy.address && d.domain.has('chainId') && own(i, d, chainId)) return i
  }
  const name = d.domain.get('name')
  i.unknown = true
  i.summary = `Sign ${printable(d.primaryType)} of ${JSON.stringify(printable(typeof name === 'string' ? name : ''))}`
  if (permits.includes(d.primaryType)) i.warning = 'This lets somebody take tokens of the account, without a transaction of yours.'
  return i
}

/** Words the protocol's own types. It takes only what hashes to the very digest that would be signed. */
function own(i: Intent, d: TypedData, chainId: number): boolean {
  const says = wording[d.primaryType]
  if (!says) return false
  const values: Record<string, bigint | string> = {}
  for (const { name, type } of types[d.primaryType as TypeName]) {
    const v = d.message.get(name)
    // Amounts are decimal strings in the protocol, never hex.
    const n = type.startsWith('uint') ? (type === 'uint128' && /^0x/.test(String(v)) ? null : wholeOf(v)) : typeof v === 'string' ? v : null
    if (n === null) return false
    values[name] = n
  }
  let digest: Hex
  try {
    digest = hashTypedData({
      domain: { name: 'AITBC', version: '1', chainId, verifyingContract: marketPredeploy.address },
      types, primaryType: d.primaryType as TypeName, message: lowered(values) as never,
    })
  } catch {
    return false
  }
  if (digest !== d.digest) return false
  const said = says(values)
  i.summary = said.summary
  i.amount = said.amount ?? 0n
  i.worth = said.worth ?? 0n
  return true
}

// viem wants addresses with a right checksum, or without one.
const lowered = (values: Record<string, bigint | string>) => Object.fromEntries(Object.entries(values).map(([k, v]) => [k, typeof v === 'string' ? v.toLowerCase() : v]))

interface Said {
  summary: string
  amount?: bigint
  worth?: bigint
}

const big = (v: bigint | string | undefined) => v as bigint
const account = (v: bigint | string | undefined) => getAddress((v as string).toLowerCase())

const wording: Record<string, ((m: Record<string, bigint | string>) => Said) | undefined> = {
  __proto__: null as never,
  Order: (m) => ({
    summary: `Order job ${m.number} of session ${m.session} for at most ${coins(big(m.maxPrice))}, until ${clock(big(m.deadline))}`,
    amount: big(m.maxPrice),
    worth: big(m.maxPrice),
  }),
  Voucher: (m) => ({ summary: `Pay ${coins(big(m.cumulative))} in all for the jobs of session ${m.session} up to number ${m.through}`, amount: big(m.cumulative) }),
  Close: (m) => ({ summary: `Close session ${m.session} with ${coins(big(m.cumulative))} paid in all`, amount: big(m.cumulative) }),
  KeyRequest: (m) => ({ summary: `Ask for an API key that spends session ${m.session}` }),
  MinerLogin: (m) => ({ summary: `Sign in to the coordinator ${account(m.coordinator)} as the miner ${account(m.miner)}` }),
}
