import { readFileSync } from 'node:fs'
import { toEventSignature, toFunctionSignature, type AbiParameter } from 'viem'
import { describe, expect, it } from 'vitest'
import { marketAbi, registryAbi } from '../src/market.js'

type Item = { type: string; name: string; inputs: AbiParameter[]; outputs?: AbiParameter[]; stateMutability?: string }

const artifact = (name: string) => (JSON.parse(readFileSync(new URL(`../../../contracts/artifacts/${name}.json`, import.meta.url), 'utf8')) as { abi: Item[] }).abi
const types = (p: readonly AbiParameter[] | undefined): unknown => (p ?? []).map((x) => ('components' in x ? [x.type, types(x.components), x.components.map((c) => c.name)] : x.type))

describe('interfaces are those of the contracts', () => {
  for (const [name, abi] of [['Market', marketAbi], ['Registry', registryAbi]] as const) {
    const theirs = artifact(name)
    it.each(abi.map((x) => x as unknown as Item))(`${name} $type $name`, (x) => {
      const same = theirs.find((y) => y.type === x.type && y.name === x.name)
      expect(same).toBeDefined()
      const signature = x.type === 'event' ? toEventSignature : toFunctionSignature
      expect(signature(x as never)).toBe(signature(same as never))
      expect(types(x.outputs)).toEqual(types(same!.outputs))
      expect(x.inputs.map((i) => (i as { indexed?: boolean }).indexed ?? false)).toEqual(same!.inputs.map((i) => (i as { indexed?: boolean }).indexed ?? false))
    })
  }
})
