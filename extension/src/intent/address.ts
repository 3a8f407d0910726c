// Addresses as people write them: 0x…, or aitbc1… for the same 20 bytes.
import { bech32 } from '@scure/base'
import { bytesToHex, getAddress, hexToBytes, isAddress, type Address } from 'viem'

/** The other spelling of an address. */
export function aitbc1(a: Address): string {
  return bech32.encode('aitbc', bech32.toWords(hexToBytes(a)))
}

/** Reads an address in both spellings. It throws, and says what is wrong. */
export function readAddress(text: string): Address {
  const t = text.trim()
  if (/^aitbc1/i.test(t)) {
    const found = bech32.decodeUnsafe(t)
    if (found?.prefix === 'aitbc') {
      const bytes = bech32.fromWordsUnsafe(found.words)
      if (bytes?.length === 20) return getAddress(bytesToHex(bytes as Uint8Array))
    }
    throw new Error('This address has a typing error: its checksum is wrong.')
  }
  if (!/^0x[0-9a-fA-F]{40}$/.test(t)) throw new Error('An address is 0x and 40 hex digits, or begins with aitbc1.')
  const digits = t.slice(2)
  if (digits !== digits.toLowerCase() && digits !== digits.toUpperCase() && !isAddress(t)) throw new Error('This address has a typing error: its checksum is wrong.')
  return getAddress(t.toLowerCase())
}
