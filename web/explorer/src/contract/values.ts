// Values of a contract's interface as people write and read them. Numbers are exact:
// none passes through a floating point number.
import { getAddress, type AbiFunction, type AbiParameter } from 'viem'

/** A parameter's name, or its place. */
export const nameOf = (p: AbiParameter, i: number) => p.name || `${i + 1}`

/** A function as the source declares it. */
export const signature = (f: AbiFunction) => `${f.name}(${f.inputs.map(typeOf).join(',')})`

/** A type with the types that it is made of. */
export function typeOf(p: AbiParameter): string {
  if (!p.type.startsWith('tuple')) return p.type
  return `(${(components(p)).map(typeOf).join(',')})${p.type.slice('tuple'.length)}`
}

export const components = (p: AbiParameter): readonly AbiParameter[] => ('components' in p && Array.isArray(p.components) ? (p.components as AbiParameter[]) : [])

const list = /^(.*)\[(\d*)\]$/

/** The item of an array's type, or null. */
export function itemOf(p: AbiParameter): { item: AbiParameter; size: number | null } | null {
  const m = list.exec(p.type)
  return m ? { item: { ...p, name: '', type: m[1]! } as AbiParameter, size: m[2] === '' ? null : Number(m[2]) } : null
}

/** What to write for a type. */
export function hint(p: AbiParameter): string {
  if (itemOf(p)) return '[…, …]'
  if (p.type === 'tuple') return `[${components(p).map((c, i) => nameOf(c, i)).join(', ')}]`
  if (p.type === 'bool') return 'true or false'
  if (p.type === 'string') return 'text'
  if (p.type === 'address' || p.type.startsWith('bytes')) return '0x…'
  return '0'
}

// JSON with its numbers as text, so that no digit is lost; hex needs no quotes.
function lenient(text: string): unknown {
  const quoted = text.replace(/"(?:[^"\\]|\\.)*"|0x[0-9a-fA-F]*|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (m) => (m.startsWith('"') ? m : `"${m}"`))
  return JSON.parse(quoted)
}

/** The value that a text means for a parameter. Throws an Error that says what is wrong. */
export function parse(p: AbiParameter, text: string): unknown {
  if (!itemOf(p) && p.type !== 'tuple') return value(p, p.type === 'string' ? text : text.trim())
  let read: unknown
  try {
    read = lenient(text.trim())
  } catch {
    throw new Error(`${typeOf(p)} is written as JSON: ${hint(p)}`)
  }
  return value(p, read)
}

function value(p: AbiParameter, v: unknown): unknown {
  const array = itemOf(p)
  if (array) {
    if (!Array.isArray(v)) throw new Error(`${typeOf(p)} is a list: [ … ]`)
    if (array.size !== null && v.length !== array.size) throw new Error(`${typeOf(p)} has ${array.size} items, not ${v.length}`)
    return v.map((x) => value(array.item, x))
  }
  if (p.type === 'tuple') {
    const parts = components(p)
    if (Array.isArray(v)) {
      if (v.length !== parts.length) throw new Error(`${typeOf(p)} has ${parts.length} values, not ${v.length}`)
      return tuple(parts, parts.map((c, i) => value(c, v[i])))
    }
    if (v === null || typeof v !== 'object') throw new Error(`${typeOf(p)} is a list, or an object by its names`)
    const by = v as Record<string, unknown>
    const strange = Object.keys(by).find((k) => !parts.some((c) => c.name === k))
    if (strange !== undefined) throw new Error(`there is no ${strange} in ${typeOf(p)}`)
    return tuple(parts, parts.map((c, i) => {
      if (!c.name || !(c.name in by)) throw new Error(`${nameOf(c, i)} is missing`)
      return value(c, by[c.name])
    }))
  }
  if (p.type === 'bool') {
    if (v === true || v === 'true') return true
    if (v === false || v === 'false') return false
    throw new Error('a bool is true or false')
  }
  if (typeof v !== 'string') throw new Error(`this is no ${p.type}`)
  if (p.type === 'string') return v
  if (p.type === 'address') {
    if (!/^0x[0-9a-fA-F]{40}$/.test(v)) throw new Error('an address is 0x and 40 hex digits')
    const right = getAddress(v.toLowerCase())
    if (/[a-f]/.test(v.slice(2)) && /[A-F]/.test(v.slice(2)) && v !== right) throw new Error('the address is mistyped: its capitals do not fit')
    return right
  }
  if (p.type === 'function' || p.type.startsWith('bytes')) {
    const size = p.type === 'function' ? 24 : p.type === 'bytes' ? null : Number(p.type.slice(5))
    if (!/^0x([0-9a-fA-F]{2})*$/.test(v)) throw new Error(`${p.type} is 0x and hex digits, two for each byte`)
    if (size !== null && v.length !== 2 + 2 * size) throw new Error(`${p.type} has ${size} bytes, not ${(v.length - 2) / 2}`)
    return v
  }
  const m = /^(u?)int(\d+)$/.exec(p.type)
  if (!m) throw new Error(`values of the type ${p.type} cannot be written here`)
  if (!/^(-?\d{1,80}|0x[0-9a-fA-F]{1,64})$/.test(v)) throw new Error(`${p.type} is a whole number`)
  const n = BigInt(v)
  const bits = BigInt(m[2]!)
  const [least, most] = m[1] ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]
  if (n < least || n > most) throw new Error(`${p.type} is from ${least} to ${most}`)
  return bits <= 48n ? Number(n) : n
}

// A tuple is an object where all of its parts have names, as viem has it.
function tuple(parts: readonly AbiParameter[], values: unknown[]): unknown {
  return parts.every((c) => c.name) ? Object.fromEntries(parts.map((c, i) => [c.name!, values[i]])) : values
}

/** The parts of a tuple's value, in order. */
export const partsOf = (p: AbiParameter, v: unknown): unknown[] => (Array.isArray(v) ? (v as unknown[]) : components(p).map((c) => (v as Record<string, unknown>)[c.name!]))
