// The intent of a personal message (EIP-191), a sign-in (EIP-4361) among them.
import { hashMessage, type Address, type Hex } from 'viem'
import { blank, field, Refused, type Intent } from './intent.js'
import { looksLikeSignIn, parseSignIn, type SignIn } from './siwe.js'
import { printable } from './text.js'

const most = 64 << 10

/** Who asks, and when: null where no site does. */
export interface Asker {
  origin: string
  now: number
}

/** Decodes a message of an account. What a site asks must be a sign-in to itself, if it is one. */
export function messageIntent(message: Uint8Array, from: Address, chainId: number, asker: Asker | null): Intent {
  if (message.length > most) throw new Refused(`The message is larger than ${most} bytes.`)
  const i = blank('message', from)
  i.digest = hashMessage({ raw: message })
  const text = textOf(message)
  const login = text === null ? null : parseSignIn(text)
  if (login) return signIn(i, login, chainId, asker)
  if (text !== null && looksLikeSignIn(text)) throw new Refused('The message looks like a sign-in and is none of EIP-4361: nobody can tell what it signs in to.')
  if (text === null || printable(text) !== text) {
    i.opaque = true
    i.summary = `Sign ${message.length} bytes that are no text`
    field(i, 'message', hex(message))
    return i
  }
  i.summary = `Sign the message: ${short(text)}`
  field(i, 'message', text)
  return i
}

function signIn(i: Intent, m: SignIn, chainId: number, asker: Asker | null): Intent {
  if (m.address !== i.from) throw new Refused(`The sign-in is for ${m.address}, not for the account that is asked.`)
  if (m.chainId !== BigInt(chainId)) throw new Refused(`The sign-in is for chain ${m.chainId}, this one is ${chainId}.`)
  if (asker) checkAsker(i, m, asker)
  i.kind = 'sign_in'
  i.summary = `Sign in to ${printable(m.domain)} as ${i.from}`
  field(i, 'domain', m.domain)
  field(i, 'statement', m.statement)
  field(i, 'uri', m.uri)
  return i
}

function checkAsker(i: Intent, m: SignIn, asker: Asker): void {
  const site = new URL(asker.origin)
  const here = m.domain.toLowerCase() === site.host && (m.scheme === '' || `${m.scheme.toLowerCase()}:` === site.protocol)
  if (!here) throw new Refused(`${site.host} asks for a sign-in to ${printable(m.domain)}: whoever signs it lets ${site.host} in there. That is how sign-ins are stolen.`)
  if (m.expires && Date.parse(m.expires) <= asker.now) throw new Refused('The sign-in has expired.')
  let uri: URL | null = null
  try {
    uri = new URL(m.uri)
  } catch {
    // it is shown as it is
  }
  if (uri?.origin !== site.origin) i.warning = `The sign-in names ${printable(m.uri)}, which is not this site.`
}

function textOf(message: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(message)
  } catch {
    return null
  }
}

function hex(b: Uint8Array): Hex {
  return `0x${[...b].map((x) => x.toString(16).padStart(2, '0')).join('')}`
}

function short(s: string): string {
  const cut = s.indexOf('\n')
  const first = [...(cut < 0 ? s : s.slice(0, cut))]
  const whole = cut < 0 && first.length <= 80
  return whole ? s : `${first.slice(0, 80).join('')} …`
}
