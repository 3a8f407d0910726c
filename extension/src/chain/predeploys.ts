// The network's contracts, at the same addresses on every network, with the
// interfaces that the compiler wrote.
import { getAddress, type Abi, type Address } from 'viem'
import { abi as faucet } from '../../../contracts/artifacts/Faucet.json'
import { abi as governor } from '../../../contracts/artifacts/Governor.json'
import { abi as market } from '../../../contracts/artifacts/Market.json'
import { abi as registry } from '../../../contracts/artifacts/Registry.json'
import { abi as rewards } from '../../../contracts/artifacts/Rewards.json'
import { abi as staking } from '../../../contracts/artifacts/Staking.json'
import { abi as timelock } from '../../../contracts/artifacts/Timelock.json'
import { abi as treasury } from '../../../contracts/artifacts/Treasury.json'
import { abi as upgrades } from '../../../contracts/artifacts/Upgrades.json'

export interface Predeploy {
  name: string
  address: Address
  abi: Abi
}

const listed: [string, unknown][] = [
  ['Registry', registry], ['Market', market], ['Treasury', treasury], ['Staking', staking], ['Rewards', rewards],
  ['Governor', governor], ['Timelock', timelock], ['Upgrades', upgrades], ['Faucet', faucet],
]

/** All of them, from 0x…A101 on. */
export const predeploys: readonly Predeploy[] = listed.map(([name, abi], n) => ({ name, address: getAddress(`0x${(0xa101 + n).toString(16).padStart(40, '0')}`), abi: abi as Abi }))

/** The one of a name, which must be one. */
function named(name: string): Predeploy {
  return predeploys.find((p) => p.name === name)!
}

export const marketPredeploy = named('Market')
export const faucetPredeploy = named('Faucet')

/** The one at an address, if there is one. */
export function predeployAt(address: string): Predeploy | undefined {
  return predeploys.find((p) => p.address.toLowerCase() === address.toLowerCase())
}
