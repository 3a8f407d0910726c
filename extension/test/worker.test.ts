// What storage, the clock and the worker's death do to a wallet.
import fc from 'fast-check'
import { keccak256, parseTransaction, type Hex } from 'viem'
import { describe, expect, it } from 'vitest'
import { NodeError } from '../src/chain/rpc.js'
import { entropyOf, keyOfHex } from '../src/crypto/phrase.js'
import { Turn } from '../src/worker/store.js'
import { agree, ask, bench, chainId, connect, keys, me, opened, passphrase, phrase, second, site, waiting, type Bench } from './world.js'

const payment = { from: me, to: second, value: '0x10' }

/** A payment that the person looks at. */
async function asked(b: Bench): Promise<{ key: string; shown: string }> {
  await ask(b, 'eth_sendTransaction', [payment])
  const { key } = await waiting(b)
  return { key, shown: (await b.approvals.review(key))!.shown }
}

const again = (b: Bench, key: string) => b.provider.handle(site, key, 'eth_sendTransaction', [payment])

describe('an approval', () => {
  it('outlives the worker: the page asks again under the same name and gets its answer', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    b.restart()
    expect(await again(b, key)).toBeNull()
    expect((await b.approvals.review(key))!.shown).toBe(shown)
    await b.approvals.approve(key, shown, [])
    const answer = await again(b, key)
    expect(answer).toEqual({ result: keccak256(b.node.sent[0]!) })
    b.restart()
    expect(await again(b, key)).toEqual(answer)
    expect(b.node.sent).toHaveLength(1)
    // Once the page has it, the answer is forgotten, and the same name is a new request.
    await b.core.requests.forget((r) => r.key === key && r.state === 'answered')
    expect(await b.core.requests.get(key)).toBeNull()
  })

  it('is one, whoever says yes how often', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    await Promise.all([1, 2, 3].map(() => b.approvals.approve(key, shown, [])))
    await b.approvals.approve(key, shown, [])
    await b.approvals.reject(key)
    await b.approvals.resume()
    expect(b.node.sent).toHaveLength(1)
    expect(await again(b, key)).toEqual({ result: keccak256(b.node.sent[0]!) })
  })

  it('that was rejected stays so', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    await b.approvals.reject(key)
    await b.approvals.approve(key, shown, [])
    expect(await again(b, key)).toMatchObject({ error: { code: 4001 } })
    expect(b.node.sent).toEqual([])
  })

  // The worker may die at every write: whatever was stored by then, what follows ends with one transaction,
  // and the page is told of it.
  it.each(Array.from({ length: 6 }, (_, n) => n))('is done once if the worker dies after %i writes', async (n) => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    b.session.fuse = b.local.fuse = { left: n }
    await b.approvals.approve(key, shown, []).catch(() => undefined)
    b.session.fuse = b.local.fuse = null
    b.restart()
    await b.approvals.resume()
    if ((await again(b, key)) === null) await agree(b) // it still waits
    expect(b.node.sent).toHaveLength(1)
    expect(await again(b, key)).toEqual({ result: keccak256(b.node.sent[0]!) })
  })

  it('that cannot be kept is not sent', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    b.local.failAt = 0
    await b.approvals.approve(key, shown, [])
    expect(await again(b, key)).toMatchObject({ error: { code: -32603 } })
    expect(b.node.sent).toEqual([])
  })

  it('that the node did not hear is in the outbox, and offered again with the same bytes', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    b.node.refuse = { eth_sendRawTransaction: Object.assign(new Error('x'), { name: 'Unreachable' }) }
    await b.approvals.approve(key, shown, [])
    const [kept] = await b.core.outbox.pending()
    expect(await again(b, key)).toEqual({ result: kept!.hash })
    expect(b.node.sent).toEqual([])
    b.node.refuse = {}
    b.restart()
    await b.core.outbox.refresh(chainId, b.node.ask)
    expect(b.node.sent).toEqual([kept!.raw])
    b.node.mined = 1
    expect((await b.commands.history(me)).entries).toMatchObject([{ hash: kept!.hash, state: 'included', height: 9, origin: site.origin }])
  })

  it('goes on after the wallet was locked only if it was signed before', async () => {
    const b = await opened()
    await connect(b)
    const { key } = await asked(b)
    await b.core.requests.approve(key)
    await b.core.keys.lock()
    b.restart()
    await b.approvals.resume()
    expect(await again(b, key)).toMatchObject({ error: { code: -32603, message: 'The wallet is locked.' } })
    expect(b.node.sent).toEqual([])
  })
})

describe('a transaction', () => {
  it('takes the next number, after what waits', async () => {
    const b = await opened()
    await connect(b)
    for (let n = 0; n < 3; n++) {
      await ask(b, 'eth_sendTransaction', [payment])
      await agree(b)
    }
    expect(b.node.sent.map((raw) => parseTransaction(raw).nonce ?? 0)).toEqual([0, 1, 2])
    expect(parseTransaction(b.node.sent[0]!)).toMatchObject({ chainId, to: second.toLowerCase(), value: 16n, maxFeePerGas: 29n, maxPriorityFeePerGas: 1n, gas: 21000n })
  })

  it('that would fail, or costs more than there is, cannot be agreed to', async () => {
    const b = await opened()
    await connect(b)
    await ask(b, 'eth_sendTransaction', [payment])
    const { key } = await waiting(b)
    b.node.balance = 20n
    expect((await b.approvals.review(key))!.problem).toContain('Not enough')
    b.node.balance = 10n ** 20n
    b.node.refuse = { eth_estimateGas: new NodeError(3, 'execution reverted', '0x08c379a00000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000000a6e6f7420746f20796f75000000000000000000000000000000000000000000') }
    const review = await b.approvals.review(key)
    expect(review!.problem).toMatch(/It would fail. The contract refuses/)
    await expect(b.approvals.approve(key, review!.shown, [])).rejects.toThrow()
    expect(b.node.sent).toEqual([])
  })

  it('that the node refuses is told with its reason, and frees its number', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    b.node.refuse = { eth_sendRawTransaction: new NodeError(-32000, 'insufficient funds for gas * price + value') }
    await b.approvals.approve(key, shown, [])
    expect(await again(b, key)).toMatchObject({ error: { code: -32000, message: expect.stringContaining('too little') } })
    b.node.refuse = {}
    await ask(b, 'eth_sendTransaction', [payment])
    await agree(b)
    expect(parseTransaction(b.node.sent[0]!).nonce ?? 0).toBe(0)
  })

  it('stays as it was shown while its fees are good, and is looked at again when they are not', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    for (const base of [8n, 13n, 4n]) {
      b.node.base = base
      expect((await b.commands.review(key))!.shown).toBe(shown)
    }
    for (const base of [20n, 2n]) {
      b.node.base = base
      expect((await b.commands.review(key))!.shown).not.toBe(shown)
      await expect(b.commands.approve(key, shown, [])).rejects.toThrow('changed meanwhile')
    }
    expect(b.node.sent).toEqual([])
    const { shown: now } = (await b.commands.review(key))!
    await b.commands.approve(key, now, [])
    expect(parseTransaction(b.node.sent[0]!).maxFeePerGas).toBe(4n * 2n + 1n)
  })

  it('whose number another took is replaced', async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    await b.approvals.approve(key, shown, [])
    b.node.sent = ['0x01' as Hex]
    b.node.mined = 1
    expect((await b.commands.history(me)).entries).toMatchObject([{ state: 'replaced' }])
  })
})

describe('a transaction that waits', () => {
  const begun = async () => {
    const b = await opened()
    await connect(b)
    const { key, shown } = await asked(b)
    await b.approvals.approve(key, shown, [])
    return { b, old: (await b.core.outbox.pending())[0]! }
  }
  /** Has another take its place, with a restart of the worker at every step. */
  const replace = async (b: Bench, hash: Hex, how: 'faster' | 'cancel') => {
    const key = await b.commands.askReplace(hash, how)
    b.restart()
    const review = (await b.commands.review(key))!
    b.restart()
    await b.commands.approve(key, review.shown, [])
    return { key, review }
  }

  it('is sent again with the same number and fees higher by an eighth, and again', async () => {
    const { b, old } = await begun()
    const { review } = await replace(b, old.hash, 'faster')
    expect(review).toMatchObject({ problem: '', origin: null, ask: { replaces: old.hash }, intent: { kind: 'transfer', to: second, amount: '16' } })
    const [first, faster] = b.node.sent.map((raw) => parseTransaction(raw))
    expect(faster).toMatchObject({ to: second.toLowerCase(), value: 16n, gas: first!.gas, maxFeePerGas: 33n, maxPriorityFeePerGas: 2n })
    expect(faster!.nonce).toBe(first!.nonce)
    const now = (await b.core.outbox.pending())[1]!
    await replace(b, now.hash, 'faster')
    expect(parseTransaction(b.node.sent[2]!)).toMatchObject({ maxFeePerGas: 38n, maxPriorityFeePerGas: 3n })
    // The next payment comes after it.
    await ask(b, 'eth_sendTransaction', [payment])
    await agree(b)
    expect(parseTransaction(b.node.sent[3]!).nonce).toBe(1)
  })

  it('is cancelled by nothing to oneself, and only the newest can be replaced', async () => {
    const { b, old } = await begun()
    await replace(b, old.hash, 'cancel')
    expect(parseTransaction(b.node.sent[1]!)).toMatchObject({ to: me.toLowerCase(), maxFeePerGas: 33n, maxPriorityFeePerGas: 2n, gas: 21000n })
    expect(parseTransaction(b.node.sent[1]!).value ?? 0n).toBe(0n)
    const { entries } = await b.commands.history(me)
    expect(entries.map((e) => [e.state, e.replaceable])).toEqual([['pending', true], ['pending', false]])
    expect(entries[1]!.why).toContain('in its place')
    // The node has forgotten both: only the newer is offered again.
    const newer = b.node.sent[1]!
    b.node.sent = []
    b.restart()
    await b.core.outbox.refresh(chainId, b.node.ask)
    expect(b.node.sent).toEqual([newer])
    b.node.mined = 1
    expect((await b.commands.history(me)).entries.map((e) => [e.state, e.replaceable])).toEqual([['included', false], ['replaced', false]])
  })

  it('may win all the same', async () => {
    const { b, old } = await begun()
    await replace(b, old.hash, 'cancel')
    b.node.mined = 1 // the first of both
    const { entries } = await b.commands.history(me)
    expect(entries.find((e) => e.hash === old.hash)!.state).toBe('included')
    expect(entries.find((e) => e.hash !== old.hash)!.state).toBe('pending') // the node has it still
    b.node.sent.pop()
    expect((await b.commands.history(me)).entries.map((e) => e.state).sort()).toEqual(['included', 'replaced'])
  })

  it('that is in a block meanwhile is not replaced', async () => {
    const { b, old } = await begun()
    const key = await b.commands.askReplace(old.hash, 'cancel')
    const { shown } = (await b.commands.review(key))!
    b.node.mined = 1
    await expect(b.commands.approve(key, shown, [])).rejects.toThrow('waits no more')
    expect((await b.commands.review(key))!.problem).toContain('waits no more')
    expect(b.node.sent).toHaveLength(1)
    await expect(b.commands.askReplace(old.hash, 'faster')).rejects.toThrow('waits no more')
  })

  it('goes on if the node refuses what was to take its place', async () => {
    const { b, old } = await begun()
    b.node.refuse = { eth_sendRawTransaction: new NodeError(-32000, 'replacement transaction underpriced') }
    const { key } = await replace(b, old.hash, 'faster')
    expect(await b.commands.outcome(key)).toMatchObject({ error: expect.any(String) })
    expect((await b.commands.history(me)).entries.filter((e) => e.replaceable).map((e) => e.hash)).toEqual([old.hash])
  })
})

describe('locking', () => {
  it('comes by itself when nobody is there, also through a restart', async () => {
    const b = await opened()
    b.clock.now += 59_000
    await b.core.keys.touch(60_000)
    b.clock.now += 59_000
    b.restart()
    expect(await b.core.keys.state()).toBe('open')
    b.clock.now += 2_000
    expect(await b.core.keys.state()).toBe('locked')
    await expect(b.core.keys.sign(me, `0x${'1'.repeat(64)}`)).rejects.toThrow('locked')
    await b.core.keys.touch(60_000) // somebody who comes too late opens nothing
    expect(await b.core.keys.state()).toBe('locked')
    expect(b.session.stored.open).toBeUndefined()
  })

  it('leaves no secret in storage, and only ciphertext while open', async () => {
    const b = bench()
    await b.commands.create({ kind: 'phrase', phrase }, passphrase)
    const text = () => JSON.stringify([b.local.stored, b.session.stored])
    for (const secret of ['junk', keys[0].slice(2), passphrase, 'entropy']) expect(text()).not.toContain(secret)
    await b.commands.lock()
    expect(b.session.stored).toEqual({})
  })

  it('counts wrong passphrases before it looks at them, through restarts', async () => {
    const b = await opened()
    await b.core.keys.lock()
    for (let n = 0; n < 4; n++) await expect(b.commands.unlock('wrong')).rejects.toThrow('wrong')
    b.restart()
    await expect(b.commands.unlock(passphrase)).rejects.toThrow('wait 1 seconds')
    b.clock.now += 1_000
    await expect(b.commands.unlock('wrong')).rejects.toThrow('The passphrase is wrong')
    b.local.failAt = 0 // the disk is full: no free guess
    b.clock.now += 2_000
    await expect(b.commands.unlock(passphrase)).rejects.toThrow('disk')
    await b.commands.unlock(passphrase)
    expect(await b.core.keys.wait()).toBe(0)
  })
})

describe('the vault', () => {
  it('is the old one or the new one, whichever write fails', async () => {
    for (let n = 0; n < 4; n++) {
      const b = await opened()
      b.local.failAt = n
      await b.core.keys.changePassphrase(passphrase, 'another one').catch(() => undefined)
      b.local.failAt = -1
      await b.core.keys.lock()
      b.clock.now += 3_600_000
      const opens = await Promise.all([passphrase, 'another one'].map((p) => b.core.keys.reveal(p, me).then(() => true, () => false)))
      expect(opens.filter(Boolean)).toHaveLength(1)
    }
  })

  it('gains and loses accounts, and each signs with its own key', async () => {
    const b = bench()
    await b.commands.create({ kind: 'phrase', phrase }, passphrase)
    await b.commands.addAccount()
    expect((await b.commands.status()).account!.address).toBe(second)
    await expect(b.core.keys.importKey(keyOfHex(keys[1]))).rejects.toThrow('already')
    expect(await b.commands.reveal(passphrase, second)).toBe(keys[1])
    expect(await b.commands.reveal(passphrase, 'phrase')).toBe(phrase)
    await expect(b.commands.reveal('wrong', 'phrase')).rejects.toThrow('wrong')
    await b.core.sites.grant(site.origin, [second])
    await b.commands.removeAccount(second)
    expect(await b.core.sites.list()).toEqual([])
    await expect(b.commands.removeAccount(me)).rejects.toThrow('last account')
    await b.commands.renameAccount(me, ' \u202eA\u0000 ')
    expect((await b.commands.status()).accounts[0]!.name).toBe('·A·')
    await expect(b.core.keys.importPhrase(entropyOf(phrase))).rejects.toThrow('already')
  })
})

it('tasks of a turn run one after another, whatever fails', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 20 }), async (fails) => {
      const turn = new Turn()
      let running = 0
      const done = await Promise.allSettled(
        fails.map((f, n) =>
          turn.take(async () => {
            expect(++running).toBe(1)
            await Promise.resolve()
            running--
            if (f) throw new Error('x')
            return n
          }),
        ),
      )
      expect(done.map((d) => d.status)).toEqual(fails.map((f) => (f ? 'rejected' : 'fulfilled')))
    }),
    { numRuns: 50 },
  )
})
