// Writes input.json and output.json: Counter.sol as standard JSON, and what solc-js makes of it.
//   cd contracts && npm ci && node ../explorer/verify/verifytest/testdata/record.mjs
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const here = (name) => new URL(name, import.meta.url)
const content = readFileSync(here('Counter.sol'), 'utf8')
const input = { language: 'Solidity', sources: { 'src/<b>Counter</b>.sol': { content } }, settings: { evmVersion: 'prague', optimizer: { enabled: true, runs: 200 } } }
writeFileSync(here('input.json'), `${JSON.stringify(input, null, 1)}\n`)
const code = (of) => ['object', 'linkReferences', 'immutableReferences'].map((part) => `evm.${of}.${part}`)
const outputSelection = { '*': { '*': ['abi', ...code('bytecode').slice(0, 2), ...code('deployedBytecode')] } }
const said = execFileSync('node_modules/.bin/solcjs', ['--standard-json'], { input: JSON.stringify({ ...input, settings: { ...input.settings, outputSelection } }) }).toString()
writeFileSync(here('output.json'), `${JSON.stringify(JSON.parse(said.slice(said.indexOf('{'))), null, 1)}\n`)
