// What a site is told when something is not done: EIP-1193, EIP-1474.

/** An error with the code that sites know it by. */
export class ProviderError extends Error {
  override name = 'ProviderRpcError'
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message)
  }
}

/** An answer to a site, as it travels. */
export type Answer = { result: unknown } | { error: { code: number; message: string; data?: unknown } }

export const rejected = () => new ProviderError(4001, 'The person rejected the request.')
export const unauthorized = (text = 'This site is not connected to the account: ask for eth_requestAccounts first.') => new ProviderError(4100, text)
export const unsupported = (method: string) => new ProviderError(4200, `The wallet does not know the method ${method.slice(0, 64)}.`)
export const disconnected = (text: string) => new ProviderError(4900, text)
export const unknownChain = (chainId: number) => new ProviderError(4902, `The wallet does not know the chain ${chainId}: add it first.`)
export const badParams = (text: string) => new ProviderError(-32602, text)
export const tooMany = () => new ProviderError(-32002, 'Requests of this site wait for the person already.')
export const failed = (text: string, data?: unknown) => new ProviderError(-32000, text, data)
export const internal = (text: string) => new ProviderError(-32603, text)

/** What a site learns of an error. */
export function answerOf(e: unknown): Answer {
  if (e instanceof ProviderError) return { error: { code: e.code, message: e.message, ...(e.data === undefined ? {} : { data: e.data }) } }
  return { error: { code: -32603, message: 'The wallet failed; its own pages say more.' } }
}
