// The Market and Registry predeploys, through viem: docs/PROTOCOL.md sections 2, 4 and 5.
import { parseAbi, parseEventLogs, zeroHash, type Account, type Address, type Chain, type Hex, type PublicClient, type Transport, type WalletClient } from 'viem'
import type { Keys } from './session.js'
import type { Domain } from './typed.js'

/** Where the predeploys stand on every network. */
export const marketAddress: Address = '0x000000000000000000000000000000000000a102'
export const registryAddress: Address = '0x000000000000000000000000000000000000a101'

/** What of the predeploys is used here, as their contracts have it. */
export const marketAbi = parseAbi([
  'function openSession(address coordinator, address spender, uint64 expiry) payable returns (uint64)',
  'function topUp(uint64 session) payable',
  'function requestClose(uint64 session)',
  'struct Session { address client; uint64 expiry; address coordinator; uint64 dueAt; address spender; uint16 feeBps; uint8 state; uint96 deposit; uint96 debited; uint64 through; }',
  'function session(uint64 id) view returns (Session)',
  'function sessionCount() view returns (uint64)',
  'function withdrawable(address account) view returns (uint128)',
  'function withdraw(address to)',
  'event SessionOpened(uint64 indexed session, address indexed client, address indexed coordinator, address spender, uint128 deposit, uint64 expiry, uint16 feeBps)',
  'error BadAmount()',
  'error BadExpiry(uint64 expiry)',
  'error CoordinatorInactive(address coordinator)',
  'error SessionNotOpen(uint64 session)',
])
export const registryAbi = parseAbi([
  'function signerValid(uint8 role, address account, address signer) view returns (bool)',
  'struct Participant { uint128 stake; uint128 unbonding; uint64 unbondAt; uint128 reserved; address signer; address nextSigner; uint64 nextSignerAt; address oldSigner; uint64 oldSignerUntil; bytes32 sealingKeyHash; bytes32 nextSealingKeyHash; uint64 jailedUntil; bool registered; string endpoint; }',
  'function participant(uint8 role, address account) view returns (Participant)',
])

// What an entry in the Market's queues may cost more than was estimated.
const queueGas = 50_000n

type Wallet = WalletClient<Transport, Chain, Account>

/** Deposits and keys on one chain. */
export class Market {
  constructor(
    private readonly reader: PublicClient,
    private readonly wallet?: Wallet,
  ) {}

  /** What everything signed for this network names. */
  async domain(): Promise<Domain> {
    return { chainId: await this.reader.getChainId(), market: marketAddress }
  }

  async #mined(hash: Hex) {
    const receipt = await this.reader.waitForTransactionReceipt({ hash, pollingInterval: 200 })
    if (receipt.status !== 'success') throw new Error(`transaction ${hash} was reverted`)
    return receipt
  }

  get #payer(): Wallet {
    if (!this.wallet) throw new Error('this Market has no wallet that pays')
    return this.wallet
  }

  /**
   * Locks a deposit until expiry (seconds since 1970) and returns the session's
   * number. Name a key of your own as spender to sign orders yourself, or the
   * one of {@link Coordinator.prepare}. What is not spent comes back by itself.
   */
  async openSession(o: { coordinator: Address; spender: Address; expiry: number; deposit: bigint }): Promise<number> {
    const call = { address: marketAddress, abi: marketAbi, functionName: 'openSession', args: [o.coordinator, o.spender, BigInt(o.expiry)], value: o.deposit } as const
    const gas = (await this.reader.estimateContractGas({ ...call, account: this.#payer.account })) + queueGas
    const receipt = await this.#mined(await this.#payer.writeContract({ ...call, gas }))
    const [opened] = parseEventLogs({ abi: marketAbi, logs: receipt.logs, eventName: 'SessionOpened' })
    if (!opened) throw new Error(`transaction ${receipt.transactionHash} opened no session`)
    return Number(opened.args.session)
  }

  /** Adds to a deposit; anybody may. */
  async topUp(session: number, amount: bigint): Promise<void> {
    await this.#mined(await this.#payer.writeContract({ address: marketAddress, abi: marketAbi, functionName: 'topUp', args: [BigInt(session)], value: amount }))
  }

  /** Starts the close window of a session of the wallet's. */
  async requestClose(session: number): Promise<void> {
    const call = { address: marketAddress, abi: marketAbi, functionName: 'requestClose', args: [BigInt(session)] } as const
    const gas = (await this.reader.estimateContractGas({ ...call, account: this.#payer.account })) + queueGas
    await this.#mined(await this.#payer.writeContract({ ...call, gas }))
  }

  /** A session as the chain has it. */
  session(id: number) {
    return this.reader.readContract({ address: marketAddress, abi: marketAbi, functionName: 'session', args: [BigInt(id)] })
  }

  /** Asks the Registry whose signatures count. */
  get keys(): Keys {
    const valid = (role: number, account: Address, key: Address) =>
      this.reader.readContract({ address: registryAddress, abi: registryAbi, functionName: 'signerValid', args: [role, account, key] })
    const sealingKey = async (miner: Address): Promise<Hex> => {
      const p = await this.reader.readContract({ address: registryAddress, abi: registryAbi, functionName: 'participant', args: [1, miner] })
      return p.registered ? p.sealingKeyHash : zeroHash
    }
    return { minerKey: (a, k) => valid(1, a, k), coordinatorKey: (a, k) => valid(2, a, k), sealingKey }
  }
}
