// What of the contracts of stake, votes and the faucet is called here: a test holds
// it to the contracts' own interfaces.
import { parseAbi, type Address } from 'viem'

export const stakingAddress: Address = '0x000000000000000000000000000000000000a104'
export const governorAddress: Address = '0x000000000000000000000000000000000000a106'
export const faucetAddress: Address = '0x000000000000000000000000000000000000a109'

export const stakingAbi = parseAbi([
  'function delegate(address operator) payable',
  'function undelegate(address operator, uint128 amount)',
  'function redelegate(address from, address to, uint128 amount)',
  'function withdraw() returns (uint128 amount)',
  'function claimRewards(address operator) returns (uint128 amount)',
  'error UnknownValidator(address operator)',
  'error BadAmount()',
  'error Closed(address operator)',
  'error Locked(uint64 until)',
  'error TooMany()',
  'error NotDue(uint64 dueAt)',
])

export const governorAbi = parseAbi([
  'function castVote(uint256 proposalId, uint8 support) returns (uint256)',
  'function castOverrideVote(uint256 proposalId, address operator, uint8 support, string reason) returns (uint256 weight)',
  'function hasVoted(uint256 proposalId, address account) view returns (bool)',
  'function hasOverridden(uint256 proposalId, address delegator, address operator) view returns (bool)',
  'error NoVotes(address account, address operator)',
  'error OwnStake(address operator)',
  'error AlreadyOverridden(address delegator, address operator)',
  'error GovernorAlreadyCastVote(address voter)',
  'error GovernorUnexpectedProposalState(uint256 proposalId, uint8 current, bytes32 expectedStates)',
])

export const faucetAbi = parseAbi([
  'function drip(address to)',
  'function nextDrip(address to) view returns (uint64)',
  'function available() view returns (uint128)',
  'struct FaucetParams { uint128 amount; uint128 hourlyCap; uint64 cooldown; }',
  'function params() view returns (FaucetParams)',
  'error TooSoon(uint64 next)',
  'error HourlyCapReached()',
  'error Empty()',
])
