// Messages of EIP-4361, by which an account signs in to a site. The grammar is
// kept to the letter, as in wallet/siwe.
import { getAddress, type Address } from 'viem'

export interface SignIn {
  scheme: string
  domain: string
  address: Address
  statement: string
  uri: string
  chainId: bigint
  nonce: string
  issuedAt: string
  expires: string
  notBefore: string
  requestId: string
  resources: string[]
}

const wants = ' wants you to sign in with your Ethereum account:'

/** Whether a text means to be a sign-in, well made or not. */
export function looksLikeSignIn(text: string): boolean {
  return /wants you to sign in with your/i.test(text)
}

const scheme = /^[A-Za-z][A-Za-z0-9+\-.]*$/
const authority = /^([A-Za-z0-9\-._~%!$&'()*+,;=]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$/
const statement = /^[A-Za-z0-9\-._~!$&'()*+,;=:/?#[\]@ ]+$/
const uriChars = /^[A-Za-z0-9\-._~!$&'()*+,;=%:/?#[\]@]+$/
const pathChars = /^[A-Za-z0-9\-._~!$&'()*+,;=%:@]*$/
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$/

/** Reads a sign-in, or says null: it is none. */
export function parseSignIn(text: string): SignIn | null {
  if (text.length > 8 << 10) return null
  const lines = text.split('\n')
  let at = 0
  let good = true
  const check = (ok: boolean) => {
    good &&= ok
  }
  const next = () => {
    check(at < lines.length)
    return lines[at++] ?? ''
  }
  const named = (name: string) => {
    const l = next()
    check(l.startsWith(name))
    return l.slice(name.length)
  }
  const option = (name: string) => (good && lines[at]?.startsWith(name) ? named(name) : null)
  const uri = (s: string) => {
    check(uriChars.test(s) && scheme.test(s.split(':', 1)[0]!) && s.includes(':'))
    return s
  }
  const time = (s: string) => {
    check(rfc3339.test(s) && !Number.isNaN(Date.parse(s.replace(',', '.'))))
    return s
  }

  const first = next()
  check(first.endsWith(wants))
  const origin = first.slice(0, -wants.length)
  const cut = origin.indexOf('://')
  const m: SignIn = {
    scheme: cut < 0 ? '' : origin.slice(0, cut), domain: cut < 0 ? origin : origin.slice(cut + 3), address: '0x', statement: '', uri: '', chainId: 0n, nonce: '',
    issuedAt: '', expires: '', notBefore: '', requestId: '', resources: [],
  }
  check((cut < 0 || scheme.test(m.scheme)) && authority.test(m.domain))
  const address = next()
  check(/^0x[0-9a-fA-F]{40}$/.test(address) && getAddress(address.toLowerCase()) === address)
  m.address = address as Address
  check(next() === '')
  const said = next()
  if (said !== '') {
    check(statement.test(said))
    m.statement = said
    check(next() === '')
  }
  m.uri = uri(named('URI: '))
  check(named('Version: ') === '1')
  const id = named('Chain ID: ')
  check(/^[0-9]{1,20}$/.test(id))
  m.chainId = /^[0-9]{1,20}$/.test(id) ? BigInt(id) : 0n
  check(m.chainId < 1n << 64n)
  m.nonce = named('Nonce: ')
  check(/^[A-Za-z0-9]{8,}$/.test(m.nonce))
  m.issuedAt = time(named('Issued At: '))
  const expires = option('Expiration Time: ')
  if (expires !== null) m.expires = time(expires)
  const notBefore = option('Not Before: ')
  if (notBefore !== null) m.notBefore = time(notBefore)
  const requestId = option('Request ID: ')
  if (requestId !== null) {
    check(pathChars.test(requestId))
    m.requestId = requestId
  }
  const resources = option('Resources:')
  if (resources !== null) {
    check(resources === '')
    while (good && at < lines.length) m.resources.push(uri(named('- ')))
  }
  return good && at === lines.length ? m : null
}
