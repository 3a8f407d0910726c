// A wallet for tests: in the page a provider that EIP-6963 announces, here a key
// that signs what the test allows and sends it through the node that the page named.
import { createWalletClient, defineChain, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

/**
 * Gives each page of a context the wallet. say(method) may throw {code, message}
 * to be a wallet that declines; asked holds the methods that a person would see.
 */
export async function addWallet(context, key, { name = 'Test wallet', say = () => {} } = {}) {
  const account = privateKeyToAccount(key)
  const state = { account: account.address, chain: 1, known: new Map(), asked: [], say }
  const refuse = (code, message) => {
    throw Object.assign(new Error(message), { code })
  }
  const client = () => {
    const rpc = state.known.get(state.chain) ?? refuse(4901, 'the wallet is not connected to this chain')
    const chain = defineChain({ id: state.chain, name: 'test', nativeCurrency: { name: 'AITBC', symbol: 'AITBC', decimals: 18 }, rpcUrls: { default: { http: [rpc] } } })
    return createWalletClient({ account, chain, transport: http(rpc) })
  }
  const shown = ['eth_requestAccounts', 'eth_sendTransaction', 'eth_signTypedData_v4', 'personal_sign', 'wallet_switchEthereumChain', 'wallet_addEthereumChain']
  const methods = {
    eth_requestAccounts: () => [account.address],
    eth_accounts: () => [account.address],
    eth_chainId: () => `0x${state.chain.toString(16)}`,
    wallet_switchEthereumChain: ([{ chainId }]) => {
      if (!state.known.has(Number(chainId))) refuse(4902, 'unknown chain')
      state.chain = Number(chainId)
      return null
    },
    wallet_addEthereumChain: ([{ chainId, rpcUrls }]) => {
      state.known.set(Number(chainId), rpcUrls[0])
      return null
    },
    eth_sendTransaction: ([{ to, data, value, gas }]) => client().sendTransaction({ to, data, value: BigInt(value ?? 0), ...(gas ? { gas: BigInt(gas) } : {}) }),
    eth_signTypedData_v4: ([, text]) => account.signTypedData(JSON.parse(text)),
    personal_sign: ([raw]) => account.signMessage({ message: { raw } }),
  }
  await context.exposeBinding('testWallet', async (_, { method, params }) => {
    try {
      if (shown.includes(method)) {
        state.asked.push(method)
        await state.say(method)
      }
      const does = methods[method] ?? (() => client().request({ method, params }))
      return { result: await does(params ?? []) }
    } catch (e) {
      return { error: { code: e.code ?? -32603, message: e.message } }
    }
  })
  await context.addInitScript(
    ({ name }) => {
      const provider = {
        on() {},
        async request({ method, params }) {
          const { result, error } = await window.testWallet({ method, params })
          if (error) throw Object.assign(new Error(error.message), { code: error.code })
          return result
        },
      }
      const detail = Object.freeze({ info: { uuid: '3c1f0c1e-6b6b-4a5e-9b0e-0e1f4f0c5a11', name, icon: 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg"/>', rdns: 'test.wallet' }, provider })
      const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }))
      window.addEventListener('eip6963:requestProvider', announce)
      announce()
    },
    { name },
  )
  return state
}
