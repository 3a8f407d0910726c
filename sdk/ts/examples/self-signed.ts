// A client that keeps its key: it opens a session, orders a job, prints the
// answer as it comes, checks it, and signs a voucher for it. Prompt and answer are
// sealed: the coordinator sees neither.
//
//   API_URL=http://127.0.0.1:18000 ETH_RPC_URL=http://127.0.0.1:8545 PRIVATE_KEY=0x… npm run build && node build/examples/self-signed.js
import { createPublicClient, createWalletClient, defineChain, formatEther, http, parseEther, type Hex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { Coordinator, Market, Session } from '../src/index.js'

const setting = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`set ${name}`)
  return value
}

// The account that pays. The node says which chain this is; the coordinator must agree.
const payer = privateKeyToAccount(setting('PRIVATE_KEY') as Hex)
const transport = http(setting('ETH_RPC_URL'))
const reader = createPublicClient({ transport })
const chain = defineChain({
  id: await reader.getChainId(),
  name: 'AITBC',
  nativeCurrency: { name: 'AITBC', symbol: 'AITBC', decimals: 18 },
  rpcUrls: { default: { http: [setting('ETH_RPC_URL')] } },
})
const market = new Market(reader, createWalletClient({ account: payer, chain, transport }))
const domain = await market.domain()
const coordinator = new Coordinator(setting('API_URL'))
const network = await coordinator.network()
if (network.chain_id !== domain.chainId) throw new Error('coordinator and node serve different chains')

// The key that signs orders is made here, and the coordinator never has it. The deposit is the most that can be lost.
const spender = privateKeyToAccount(generatePrivateKey())
const expiry = Math.floor(Date.now() / 1000) + 3600
const id = await market.openSession({ coordinator: network.coordinator, spender: spender.address, expiry, deposit: parseEther('1') })
await market.topUp(id, parseEther('0.5'))
const key = await coordinator.sessionKey(domain, payer, id, 'self')
const session = await Session.of(coordinator.withKey(key), domain, spender, { keys: market.keys })
console.error(`session ${id} is open`)

const [model] = await coordinator.models()
if (!model) throw new Error('no model is on offer')
const order = await session.submit({ model: model.id, messages: [{ role: 'user', content: 'What is AITBC?' }], max_tokens: 24, temperature: 0 })
let streamed = ''
const answer = await session.follow(order, (e) => {
  if (e.type !== 'token') return
  streamed += e.text ?? ''
  process.stderr.write(e.text ?? '')
})
const voucher = await session.vouch()
console.error(`\n${formatEther(BigInt(voucher.cumulative))} AITBC in all; the answer ${answer.matches ? 'is what the receipt commits to' : 'was not compared'}`)
console.log(
  JSON.stringify({
    session: id,
    spender: spender.address,
    job: order.job,
    streamed,
    output: answer.result.output,
    price: answer.result.price,
    matches: answer.matches,
    sealed: answer.result.sealed,
    receipt: answer.receipt?.receipt_id,
    voucher,
    deposit: String((await market.session(id)).deposit),
  }),
)
