// Reads EIP-712 typed data as wallets get it, hashes it and shows every field
// of it. What is not declared, left out, of another type or out of range is an
// error, so that nothing is signed that was not shown. The same rules as
// wallet/typeddata.
import { concat, getAddress, keccak256, numberToHex, padHex, stringToHex, type Hex } from 'viem'
import type { Value } from './intent.js'
import { printable } from './text.js'

/** What is no typed data, or not consistent. */
export class BadTypedData extends Error {
  override name = 'BadTypedData'
}

const maxSize = 64 << 10
const maxTypes = 64
const maxFields = 128
const maxDepth = 16
const maxShown = 2000

interface Field {
  name: string
  type: string
}

/** Typed data that was checked and hashed. */
export interface TypedData {
  primaryType: string
  domain: ReadonlyMap<string, unknown>
  message: ReadonlyMap<string, unknown>
  digest: Hex
  /** All values, in the order of the types. */
  values: Value[]
}

const domainName = 'EIP712Domain'
const standardDomain: Field[] = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
  { name: 'salt', type: 'bytes32' },
]

const identifier = /^[A-Za-z_$][A-Za-z0-9_$]{0,63}$/
const arrayForm = /^(.*)\[([1-9][0-9]{0,3})?\]$/

function bad(text: string): never {
  throw new BadTypedData(`This is not typed data of EIP-712: ${printable(text)}.`)
}

// The page chooses names: a Map knows no prototype.
function mapOf(v: unknown, name: string): Map<string, unknown> {
  if (typeof v !== 'object' || v === null || Array.isArray(v)) bad(`${name} is no object`)
  return new Map(Object.entries(v))
}

/** Parses typed data in JSON. It throws {@link BadTypedData}. */
export function parseTypedData(text: string): TypedData {
  if (new TextEncoder().encode(text).length > maxSize) bad(`it is larger than ${maxSize} bytes`)
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    bad('it is not JSON')
  }
  const doc = mapOf(raw, 'it')
  for (const key of doc.keys()) if (!['types', 'primaryType', 'domain', 'message'].includes(key)) bad(`${key.slice(0, 40)} is no part of it`)
  const domain = mapOf(doc.get('domain'), 'domain')
  const message = mapOf(doc.get('message'), 'message')
  const primaryType = doc.get('primaryType')
  if (typeof primaryType !== 'string' || primaryType === domainName) bad('primaryType is missing')
  const types = new Map([...mapOf(doc.get('types'), 'types')].map(([name, list]) => [name, fieldsOf(name, list)]))
  if (!types.has(domainName)) types.set(domainName, standardDomain.filter((f) => domain.has(f.name)))
  const hasher = new Hasher(types)
  hasher.check(primaryType)
  const digest = keccak256(concat(['0x1901', hasher.struct(domainName, domain, 'domain', 0), hasher.struct(primaryType, message, 'message', 0)]))
  return { primaryType, domain, message, digest, values: hasher.values }
}

function fieldsOf(type: string, list: unknown): Field[] {
  if (!Array.isArray(list)) bad(`type ${type.slice(0, 40)} is no list`)
  return list.map((item) => {
    const m = mapOf(item, `a field of ${type.slice(0, 40)}`)
    const [name, of] = [m.get('name'), m.get('type')]
    if (m.size !== 2 || typeof name !== 'string' || typeof of !== 'string') bad(`a field of ${type.slice(0, 40)} has no name and type`)
    return { name, type: of }
  })
}

function base(type: string): string {
  let t = type
  for (let m = arrayForm.exec(t); m; m = arrayForm.exec(t)) t = m[1]!
  return t
}

function atomic(type: string): boolean {
  if (['address', 'bool', 'string', 'bytes'].includes(type)) return true
  const int = /^u?int([1-9][0-9]{0,2})$/.exec(type)
  if (int) return Number(int[1]) % 8 === 0 && Number(int[1]) <= 256
  const bytes = /^bytes([1-9][0-9]?)$/.exec(type)
  return bytes !== null && Number(bytes[1]) <= 32
}

class Hasher {
  readonly values: Value[] = []
  constructor(private readonly types: ReadonlyMap<string, Field[]>) {}

  /** Sees to it that all types that are used are declared, once, and that the domain is one of EIP-712's. */
  check(primary: string): void {
    if (this.types.size > maxTypes) bad(`more than ${maxTypes} types`)
    if (!this.types.has(primary)) bad('the primary type is not declared')
    for (const [name, fields] of this.types) {
      if (!identifier.test(name) || atomic(name)) bad(`${name.slice(0, 40)} is no name of a type`)
      if (fields.length > maxFields) bad(`type ${name} has more than ${maxFields} fields`)
      const seen = new Set<string>()
      for (const f of fields) {
        if (!identifier.test(f.name) || seen.has(f.name)) bad(`type ${name}: ${f.name.slice(0, 40)} is no name of a field, or there twice`)
        seen.add(f.name)
        if (!this.types.has(base(f.type)) && !atomic(base(f.type))) bad(`type ${name}: ${f.type.slice(0, 40)} is not declared`)
      }
    }
    for (const f of this.types.get(domainName)!) if (!standardDomain.some((s) => s.name === f.name && s.type === f.type)) bad(`the domain has a field ${f.name} of type ${f.type}`)
  }

  private encodeType(name: string): string {
    const deps = new Set<string>()
    const visit = (t: string) => {
      for (const f of this.types.get(t)!) {
        const b = base(f.type)
        if (this.types.has(b) && b !== name && !deps.has(b)) {
          deps.add(b)
          visit(b)
        }
      }
    }
    visit(name)
    return [name, ...[...deps].sort()].map((t) => `${t}(${this.types.get(t)!.map((f) => `${f.type} ${f.name}`).join(',')})`).join('')
  }

  struct(name: string, v: ReadonlyMap<string, unknown>, path: string, depth: number): Hex {
    const fields = this.types.get(name)!
    if (v.size !== fields.length) bad(`${path}: type ${name} has ${fields.length} fields, the value ${v.size}`)
    const words: Hex[] = [keccak256(stringToHex(this.encodeType(name)))]
    for (const f of fields) {
      if (!v.has(f.name)) bad(`${path}: field ${f.name} is missing`)
      words.push(this.word(f.type, v.get(f.name), `${path}.${f.name}`, depth + 1))
    }
    return keccak256(concat(words))
  }

  private note(name: string, value: string): void {
    this.values.push({ name, value })
    if (this.values.length > maxShown) bad(`more than ${maxShown} values`)
  }

  private word(type: string, v: unknown, path: string, depth: number): Hex {
    if (depth > maxDepth) bad(`${path}: nested more than ${maxDepth} deep`)
    const list = arrayForm.exec(type)
    if (list) {
      if (!Array.isArray(v) || (list[2] !== undefined && Number(list[2]) !== v.length)) bad(`${path} is no ${type}`)
      if (v.length === 0) this.note(path, '[]')
      return keccak256(concat(v.map((item, n) => this.word(list[1]!, item, `${path}[${n}]`, depth + 1))))
    }
    if (this.types.has(type)) return this.struct(type, mapOf(v, path), path, depth + 1)
    const { word, shown } = atom(type, v, path)
    this.note(path, shown)
    return word
  }
}

/** Encodes a value of an atomic type, and says how it is shown. */
function atom(type: string, v: unknown, path: string): { word: Hex; shown: string } {
  const want = (): never => bad(`${path}: want ${type}`)
  switch (type) {
    case 'bool':
      return typeof v === 'boolean' ? { word: numberToHex(v ? 1 : 0, { size: 32 }), shown: String(v) } : want()
    case 'string':
      return typeof v === 'string' && v.isWellFormed() ? { word: keccak256(stringToHex(v)), shown: printable(v) } : want()
    case 'address': {
      if (typeof v !== 'string' || !/^0x[0-9a-fA-F]{40}$/i.test(v)) return want()
      const a = getAddress(`0x${v.slice(2).toLowerCase()}`)
      return { word: padHex(a.toLowerCase() as Hex, { size: 32 }), shown: a }
    }
    case 'bytes': {
      const b = hexBytes(v, null) ?? want()
      return { word: keccak256(b), shown: b }
    }
  }
  const bytes = /^bytes(\d+)$/.exec(type)
  if (bytes) {
    const b = hexBytes(v, Number(bytes[1])) ?? want()
    return { word: padHex(b, { size: 32, dir: 'right' }), shown: b }
  }
  const int = /^(u?)int(\d+)$/.exec(type)!
  const bits = BigInt(int[2]!)
  const n = wholeOf(v) ?? want()
  const [low, high] = int[1] === 'u' ? [0n, 1n << bits] : [-(1n << (bits - 1n)), 1n << (bits - 1n)]
  if (n < low || n >= high) bad(`${path}: ${n} does not fit ${type}`)
  return { word: numberToHex(BigInt.asUintN(256, n), { size: 32 }), shown: n.toString() }
}

function hexBytes(v: unknown, n: number | null): Hex | null {
  if (typeof v !== 'string' || !/^0x([0-9a-fA-F]{2})*$/.test(v) || (n !== null && v.length !== 2 + 2 * n)) return null
  return v.toLowerCase() as Hex
}

/** A whole number as JSON or a string has it. Numbers that JavaScript has rounded are none. */
export function wholeOf(v: unknown): bigint | null {
  if (typeof v === 'number') return Number.isSafeInteger(v) && !Object.is(v, -0) ? BigInt(v) : null
  if (typeof v !== 'string') return null
  if (/^0x[0-9a-fA-F]{1,64}$/.test(v) || /^(0|[1-9][0-9]{0,77})$/.test(v)) return BigInt(v)
  return /^-[1-9][0-9]{0,77}$/.test(v) ? -BigInt(v.slice(1)) : null
}
