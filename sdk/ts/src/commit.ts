// Commitments to content: docs/PROTOCOL.md section 3.
import { concat, hexToBytes, keccak256, numberToHex, stringToBytes, zeroHash, type Address, type Hex } from 'viem'

/** 32 random bytes that hide what is committed to. Keep them private. */
export function randomSalt(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32))
}

/** The commitment to the request bytes, which stands in the order. */
export function inputCommitment(salt: Uint8Array, request: Uint8Array): Hex {
  return keccak256(concat([salt, request]))
}

/** The hash of a class descriptor. */
export function classHash(descriptor: string): Hex {
  return keccak256(stringToBytes(descriptor))
}

/** The hash of the candidate miners that an order accepts; zero for any. */
export function minersHash(candidates: readonly Address[]): Hex {
  if (candidates.length === 0) return zeroHash
  const sorted = [...new Set(candidates.map((a) => a.toLowerCase() as Hex))].sort()
  return keccak256(concat(sorted))
}

/** Collects the leaves of an answer's commitment, in order. */
export class Output {
  readonly #leaves: Promise<Hex>[] = []
  readonly #key: Promise<CryptoKey>

  constructor(salt: Uint8Array) {
    this.#key = crypto.subtle.importKey('raw', new Uint8Array(salt), 'HKDF', false, ['deriveBits'])
  }

  /** How many pieces there are. */
  get length(): number {
    return this.#leaves.length
  }

  /** Appends a piece of an engine that has token ids. */
  token(id: number): void {
    this.#add(hexToBytes(numberToHex(id, { size: 4 })))
  }

  /** Appends a piece of an engine that has none. */
  text(piece: string): void {
    this.#add(stringToBytes(piece))
  }

  #add(item: Uint8Array): void {
    const info = concat([stringToBytes('aitbc/output'), hexToBytes(numberToHex(this.#leaves.length, { size: 8 }))])
    const leaf = this.#key.then(async (key) => {
      const bits = await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: new Uint8Array(info) }, key, 256)
      return keccak256(concat([new Uint8Array(bits), item]))
    })
    leaf.catch(() => {}) // root() tells
    this.#leaves.push(leaf)
  }

  /** The commitment; zero when there is nothing. */
  async root(): Promise<Hex> {
    const leaves = await Promise.all(this.#leaves)
    if (leaves.length === 0) return zeroHash
    const nodes: Hex[] = new Array<Hex>(leaves.length - 1)
    nodes.push(...leaves.reverse())
    for (let i = leaves.length - 2; i >= 0; i--) {
      const [a, b] = [nodes[2 * i + 1]!, nodes[2 * i + 2]!]
      nodes[i] = keccak256(a < b ? concat([a, b]) : concat([b, a]))
    }
    return nodes[0]!
  }
}

/** Bytes as the API's JSON carries them. */
export function base64(bytes: Uint8Array): string {
  let text = ''
  for (const b of bytes) text += String.fromCharCode(b)
  return btoa(text)
}

