import { expect, it } from 'vitest'
import { ApiError } from '../../../sdk/ts/src/coordinator.js'
import { trouble } from '../src/wallet/trouble.js'

const caused = (...list: object[]) => list.reduceRight<object | undefined>((cause, x) => Object.assign(new Error('outer'), x, { cause }), undefined)

it('each thing that can go wrong has its words', () => {
  for (const [e, title] of [
    [{ code: 4001, message: 'User rejected' }, 'You declined'],
    [caused({}, { code: 4001 }), 'You declined'],
    [{ code: 4100 }, 'The wallet is locked'],
    [{ code: -32002 }, 'The wallet waits for you'],
    [{ code: 4900 }, 'The wallet is offline'],
    [caused({ message: 'reverted' }, { message: 'Error: TooSoon(uint64 next)' }), 'The contract refused'],
    [new Error('insufficient funds for gas * price + value'), 'Not enough coins'],
    [new Error('chain mismatch: the wallet is not on chain 7'), 'Wrong network'],
    [new ApiError(404, 'model_not_found', 'no miner offers model'), 'No miner for this'],
    [new ApiError(402, 'insufficient_funds', 'this job may cost 2'), 'The session cannot pay for this'],
    [new ApiError(503, 'unavailable', 'away'), 'The service does not answer'],
    [new ApiError(401, 'unauthorized', 'no'), 'The API key does not count any more'],
    [new Error('no miner that may run this takes sealed jobs: plain lets the coordinator read'), 'No miner takes this sealed'],
    [new TypeError('Failed to fetch'), 'No connection'],
    [Object.assign(new Error('price: 7 is not what it used costs'), { name: 'Disagreement' }), 'What came does not hold'],
    ['odd', 'That did not work'],
    [null, 'That did not work'],
  ] as const) expect(trouble(e).title, JSON.stringify(e)).toBe(title)
})
