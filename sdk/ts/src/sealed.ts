// Content that only client and miner may read: docs/PROTOCOL.md section 8.
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { concat, hexToBytes, keccak256, numberToHex, stringToBytes, type Address, type Hex } from 'viem'
import { base64 } from './commit.js'

/** To how many miners a job may be sealed. */
export const maxMiners = 3

const suite = () => new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const response = stringToBytes('aitbc/job-response')
const info = (job: Hex, miner: Address) => concat([stringToBytes('aitbc/job-request'), hexToBytes(job), hexToBytes(miner)])

// WebCrypto wants bytes that are surely not shared.
const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
const gcm = (raw: Uint8Array) => crypto.subtle.importKey('raw', own(raw), 'AES-GCM', false, ['encrypt', 'decrypt'])

/** Bytes of the API's JSON. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}

/** What the Registry has of a public key. */
export function fingerprint(publicKey: Uint8Array): Hex {
  return keccak256(publicKey)
}

/** Content as it is sent, with its key for each miner that may open it; bytes in base64. */
export interface Box {
  content: string
  wraps: { miner: Address; enc: string; key: string }[]
}

/** Opens the pieces of one miner's answer to one job. */
export class SealedAnswer {
  private constructor(
    private readonly job: Hex,
    private readonly key: CryptoKey,
  ) {}

  /** From the 32 bytes that the exchange with the miner gave. */
  static async of(job: Hex, secret: Uint8Array): Promise<SealedAnswer> {
    return new SealedAnswer(job, await gcm(secret))
  }

  /** Opens the piece at an index, or throws. */
  async open(index: number, piece: Uint8Array): Promise<Uint8Array> {
    const place = concat([stringToBytes('aitbc/piece'), hexToBytes(this.job), hexToBytes(numberToHex(index, { size: 8 }))])
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: own(piece.slice(0, 12)), additionalData: own(place) }, this.key, own(piece.slice(12))))
  }
}

/** Seals what an order commits to, to some miners, and says how their answers open. */
export async function seal(job: Hex, content: Uint8Array, to: { miner: Address; publicKey: Uint8Array }[]): Promise<{ box: Box; answers: SealedAnswer[] }> {
  const secret = crypto.getRandomValues(new Uint8Array(32))
  const key = await gcm(secret)
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12), additionalData: own(hexToBytes(job)) }, key, own(content)) // the key is used once
  const box: Box = { content: base64(new Uint8Array(sealed)), wraps: [] }
  const answers: SealedAnswer[] = []
  for (const { miner, publicKey } of to) {
    const hpke = suite()
    const recipientPublicKey = await hpke.kem.deserializePublicKey(own(publicKey).buffer)
    const sender = await hpke.createSenderContext({ recipientPublicKey, info: own(info(job, miner)).buffer })
    box.wraps.push({ miner, enc: base64(new Uint8Array(sender.enc)), key: base64(new Uint8Array(await sender.seal(own(secret).buffer))) })
    answers.push(await SealedAnswer.of(job, new Uint8Array(await sender.export(own(response).buffer, 32))))
  }
  return { box, answers }
}

/** Opens a box with a miner's seed, as a miner does. */
export async function unseal(job: Hex, box: Box, miner: Address, seed: Uint8Array): Promise<{ content: Uint8Array; answer: SealedAnswer }> {
  const wrap = box.wraps.find((w) => w.miner.toLowerCase() === miner.toLowerCase())
  if (!wrap) throw new Error('the job is not sealed to this miner')
  const hpke = suite()
  const recipientKey = await hpke.kem.deserializePrivateKey(own(seed).buffer)
  const recipient = await hpke.createRecipientContext({ recipientKey, enc: own(fromBase64(wrap.enc)).buffer, info: own(info(job, miner)).buffer })
  const key = await gcm(new Uint8Array(await recipient.open(own(fromBase64(wrap.key)).buffer)))
  const content = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: new Uint8Array(12), additionalData: own(hexToBytes(job)) }, key, own(fromBase64(box.content)))
  return { content: new Uint8Array(content), answer: await SealedAnswer.of(job, new Uint8Array(await recipient.export(own(response).buffer, 32))) }
}
