// What sites may ask (EIP-1193): answered at once, or put before the person.
import { bytesToHex, type Address } from 'viem'
import { isBlind, Refused, type Intent } from '../intent/intent.js'
import { messageIntent } from '../intent/message.js'
import { transactionIntent } from '../intent/transaction.js'
import { typedIntent } from '../intent/typed.js'
import { BadTypedData } from '../intent/typeddata.js'
import { hexOf, NodeError } from '../chain/rpc.js'
import { NoNetwork } from '../worker/networks.js'
import type { Core } from '../worker/core.js'
import { answerOf, badParams, disconnected, ProviderError, tooMany, unauthorized, unknownChain, unsupported, type Answer } from './errors.js'
import { addParams, messageParams, permissionParams, switchParams, transactionParams, typedParams } from './params.js'
import type { Ask, Site } from './requests.js'

/** What a connected site may ask of the node: nothing here changes anything or costs anybody. */
const reads = new Set([
  'eth_blockNumber', 'eth_call', 'eth_createAccessList', 'eth_estimateGas', 'eth_feeHistory', 'eth_gasPrice', 'eth_getBalance', 'eth_getBlockByHash', 'eth_getBlockByNumber',
  'eth_getBlockReceipts', 'eth_getBlockTransactionCountByHash', 'eth_getBlockTransactionCountByNumber', 'eth_getCode', 'eth_getLogs', 'eth_getProof', 'eth_getStorageAt',
  'eth_getTransactionByBlockHashAndIndex', 'eth_getTransactionByBlockNumberAndIndex', 'eth_getTransactionByHash', 'eth_getTransactionCount', 'eth_getTransactionReceipt',
  'eth_maxPriorityFeePerGas', 'eth_syncing', 'web3_clientVersion',
])

/** Permissions as EIP-2255 has them. */
export const permission = (origin: string, accounts: Address[]) =>
  accounts.length === 0 ? [] : [{ invoker: origin, parentCapability: 'eth_accounts', caveats: [{ type: 'restrictReturnedAccounts', value: accounts }] }]

/** The text that refuses what cannot be decoded. */
const blindText = (i: Intent) => `Refused: ${i.summary}. The wallet cannot show what this does, and signs only what it can show, unless blind signing is turned on in its settings.`

export class Provider {
  constructor(private readonly core: Core) {}

  /** Answers a request of a site, or returns null: it waits for the person. The key names the request, also when it comes again. */
  async handle(site: Site, key: string, method: string, params: unknown): Promise<Answer | null> {
    try {
      const known = await this.core.requests.known(key)
      if (known) return known.state === 'answered' ? known.answer : null
      const done = await this.#dispatch(site, method, params)
      if ('result' in done) return { result: done.result }
      const entered = await this.core.requests.enter(key, site, done.ask, done.chainId)
      if (entered.state === 'full') throw tooMany()
      if (entered.state === 'answered') return entered.answer
      this.core.world.show()
      return null
    } catch (e) {
      return answerOf(translate(e))
    }
  }

  /** What a page is told of the wallet, to notice changes. */
  async state(origin: string): Promise<{ chainId: string | null; accounts: Address[]; online: boolean }> {
    const [network, health, accounts] = await Promise.all([this.core.networks.current(), this.core.networks.health(), this.core.visible(origin)])
    return { chainId: network.chainId === null ? null : hexOf(network.chainId), accounts, online: health.state === 'ok' }
  }

  async #dispatch(site: Site, method: string, params: unknown): Promise<{ result: unknown } | { ask: Ask; chainId: number }> {
    const { origin } = site
    switch (method) {
      case 'eth_chainId':
        return { result: hexOf(await this.#chainId()) }
      case 'net_version':
        return { result: String(await this.#chainId()) }
      case 'eth_accounts':
        return { result: await this.core.visible(origin) }
      case 'eth_requestAccounts': {
        const accounts = await this.core.visible(origin)
        return accounts.length > 0 ? { result: accounts } : { ask: { kind: 'connect', permissions: false }, chainId: 0 }
      }
      case 'wallet_requestPermissions':
        permissionParams(params)
        return { ask: { kind: 'connect', permissions: true }, chainId: 0 }
      case 'wallet_getPermissions':
        return { result: permission(origin, await this.core.visible(origin)) }
      case 'wallet_revokePermissions':
        permissionParams(params)
        await this.core.sites.revoke(origin)
        this.core.world.changed()
        return { result: null }
      case 'wallet_switchEthereumChain':
        return this.#switch(switchParams(params))
      case 'wallet_addEthereumChain': {
        const network = addParams(params)
        const known = (await this.core.networks.list()).some((n) => n.chainId === network.chainId)
        return known ? this.#switch(network.chainId) : { ask: { kind: 'add', network }, chainId: network.chainId }
      }
      case 'eth_sendTransaction':
      case 'personal_sign':
      case 'eth_signTypedData_v4':
        return this.#sign(site, method, params)
    }
    if (!reads.has(method)) throw unsupported(method)
    if ((await this.core.granted(origin)).length === 0) throw unauthorized()
    const { ask } = await this.core.networks.ready()
    return { result: await ask(method, Array.isArray(params) ? params : []) }
  }

  async #chainId(): Promise<number> {
    const { chainId } = await this.core.networks.current()
    return chainId ?? (await this.core.networks.ready()).chainId
  }

  async #switch(chainId: number): Promise<{ result: null } | { ask: Ask; chainId: number }> {
    if ((await this.core.networks.current()).chainId === chainId) return { result: null }
    if (!(await this.core.networks.list()).some((n) => n.chainId === chainId)) throw unknownChain(chainId)
    return { ask: { kind: 'switch', chainId }, chainId }
  }

  async #sign(site: Site, method: string, params: unknown): Promise<{ ask: Ask; chainId: number }> {
    const allowed = await this.core.granted(site.origin)
    if (allowed.length === 0) throw unauthorized()
    const chainId = await this.#chainId()
    const { ask, intent } = this.#read(site, method, params, chainId)
    if (!allowed.includes(intent.from)) throw unauthorized(`This site is not connected to the account ${intent.from}.`)
    if (isBlind(intent) && !(await this.core.settings.get()).blind) throw unauthorized(blindText(intent))
    return { ask, chainId }
  }

  #read(site: Site, method: string, params: unknown, chainId: number): { ask: Ask; intent: Intent } {
    if (method === 'personal_sign') {
      const { from, message } = messageParams(params)
      return { ask: { kind: 'message', from, message: bytesToHex(message) }, intent: messageIntent(message, from, chainId, { origin: site.origin, now: this.core.world.now() }) }
    }
    if (method === 'eth_signTypedData_v4') {
      const { from, json } = typedParams(params)
      return { ask: { kind: 'typed', from, json }, intent: typedIntent(json, from, chainId) }
    }
    const w = transactionParams(params, chainId)
    // Number and fees come later; what it does is known now.
    const draft = { chainId, nonce: 0, to: w.to, value: w.value, data: w.data, gas: 0n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }
    const text = (n: bigint | null) => (n === null ? null : String(n))
    return {
      ask: { kind: 'transaction', wanted: { ...w, value: String(w.value), gas: text(w.gas), maxFeePerGas: text(w.maxFeePerGas), maxPriorityFeePerGas: text(w.maxPriorityFeePerGas) } },
      intent: transactionIntent(draft, w.from, chainId),
    }
  }
}


function translate(e: unknown): unknown {
  if (e instanceof Refused || e instanceof BadTypedData) return badParams(e.message)
  if (e instanceof NodeError) return new ProviderError(e.code, e.message, e.data)
  if (e instanceof NoNetwork || (e as Error)?.name === 'Unreachable') return disconnected(`The wallet has no network: ${(e as Error).message}`)
  return e
}
