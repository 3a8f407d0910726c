// What the commonest calls of our contracts mean, in plain words. The summary and
// the fields are always shown beside.
import { unpackOurs } from './call.js'
import type { Intent } from './intent.js'
import type { Tx } from './transaction.js'
import { clock, coins, line, short } from './text.js'

type Args = Record<string, unknown>

const who = (v: unknown) => short(String(v), 6)
const much = (v: unknown) => coins(BigInt(v as bigint))
const support = ['against', 'for', 'to abstain on']
const role = (v: unknown) => (Number(v) === 1 ? 'miner' : 'coordinator')

const titles: Record<string, (a: Args, value: bigint) => string> = {
  'Market.openSession': (a, v) => `Lock ${coins(v)} for jobs at the coordinator ${who(a.coordinator)} until ${clock(BigInt(a.expiry as bigint))}; ${who(a.spender)} may spend it`,
  'Market.topUp': (a, v) => `Add ${coins(v)} to the deposit of session ${a.id}`,
  'Market.requestClose': (a) => `Close session ${a.id}: what is not spent comes back`,
  'Market.refund': (a) => `Have what is left of session ${a.id} paid back`,
  'Market.withdraw': (a) => `Have what the Market holds for this account paid to ${who(a.to)}`,
  'Market.createJob': (_, v) => `Order a direct job and lock its fee of ${coins(v)}`,
  'Market.cancelJob': (a) => `Cancel direct job ${a.id}`,
  'Market.acknowledgeJob': (a) => `Accept the result of direct job ${a.id}, which pays its miner`,
  'Market.challengeJob': (a, v) => `Say that direct job ${a.id} was not delivered, with a bond of ${coins(v)} that is lost if it was`,
  'Market.setMinerLimit': (a) => `Reserve ${much(a.amount)} of the bond for the miner ${who(a.miner)}`,
  'Registry.register': (a, v) => `Register as a ${role(a.role)} with ${coins(v)} at stake; ${who(a.signer)} signs for it`,
  'Registry.increase': (a, v) => `Add ${coins(v)} to the stake as a ${role(a.role)}`,
  'Registry.requestUnbond': (a) => `Take ${much(a.amount)} out of the stake as a ${role(a.role)}, after a wait`,
  'Registry.withdrawUnbonded': (a) => `Withdraw what has left the stake as a ${role(a.role)}`,
  'Staking.delegate': (a, v) => `Delegate ${coins(v)} to the validator ${who(a.operator)}`,
  'Staking.undelegate': (a) => `Take ${much(a.amount)} back from the validator ${who(a.operator)}, after a wait`,
  'Staking.redelegate': (a) => `Move ${much(a.amount)} from the validator ${who(a.from)} to ${who(a.to)}`,
  'Staking.claimRewards': (a) => `Collect the rewards of what is delegated to ${who(a.operator)}`,
  'Staking.withdraw': () => 'Withdraw what has left the stake',
  'Governor.castVote': (a) => `Vote ${support[Number(a.support)] ?? 'in an unknown way on'} proposal ${short(String(a.proposalId), 6)}`,
  'Governor.castVoteWithReason': (a) => `Vote ${support[Number(a.support)] ?? 'in an unknown way on'} proposal ${short(String(a.proposalId), 6)}: “${line(String(a.reason))}”`,
  'Governor.propose': (a) => `Propose: “${line(String(a.description), 120)}”`,
  'Faucet.drip': (a) => `Ask the faucet for test coins for ${who(a.to)}`,
}

/** The intent in plain words; its summary where there are none. */
export function title(i: Intent, tx: Tx | null): string {
  if (!tx?.to || i.kind !== 'call') return i.summary
  const ours = unpackOurs(tx.to, tx.data)
  const says = ours && titles[`${ours.contract}.${ours.call.name}`]
  if (!says) return i.summary
  return says(Object.fromEntries(ours.call.inputs.map((input, n) => [input.name ?? '', ours.call.args[n]])), i.amount)
}
