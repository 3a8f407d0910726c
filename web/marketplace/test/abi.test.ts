import { readFileSync } from 'node:fs'
import { toEventSignature, toFunctionSignature, type AbiParameter } from 'viem'
import { expect, it } from 'vitest'
import { faucetAbi, faucetAddress, governorAbi, governorAddress, stakingAbi, stakingAddress } from '../src/stake/contracts.js'

type Item = { type: string; name: string; inputs: AbiParameter[]; outputs?: AbiParameter[]; stateMutability?: string }
const read = (path: string) => readFileSync(new URL(`../../../contracts/${path}`, import.meta.url), 'utf8')
const shape = (p: readonly AbiParameter[] | undefined): unknown => (p ?? []).map((x) => ('components' in x ? [x.type, shape(x.components), x.components.map((c) => c.name)] : x.type))

for (const [name, address, abi] of [['Staking', stakingAddress, stakingAbi], ['Governor', governorAddress, governorAbi], ['Faucet', faucetAddress, faucetAbi]] as const) {
  it(`${name} is called as it is, and where it stands`, () => {
    const theirs = (JSON.parse(read(`artifacts/${name}.json`)) as { abi: Item[] }).abi
    for (const x of abi as unknown as Item[]) {
      const same = theirs.find((y) => y.type === x.type && y.name === x.name && shape(y.inputs) && JSON.stringify(shape(y.inputs)) === JSON.stringify(shape(x.inputs)))
      expect(same, `${x.type} ${x.name}`).toBeDefined()
      expect((x.type === 'event' ? toEventSignature : toFunctionSignature)(x as never)).toBe(toFunctionSignature(same as never))
      expect(shape(x.outputs), x.name).toEqual(shape(same!.outputs))
      expect(x.stateMutability, x.name).toBe(same!.stateMutability)
    }
    expect(read('predeploy.go')).toMatch(new RegExp(`${name}Address\\s*=\\s*common\\.HexToAddress\\("0x0*${address.replace(/^0x0*/, '')}"\\)`, 'i'))
  })
}
