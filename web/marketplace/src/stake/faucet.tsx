import { Amount, ask, At, Facts, Failure, Section, useAsk, Waiting } from '@aitbc/shared'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Config } from '../types.js'
import { useAct } from '@aitbc/shared/wallet/act'
import { reader } from '@aitbc/shared/wallet/chain'
import { Gate, Wrong, type Who } from '@aitbc/shared/wallet/gate'
import { Outcome } from '@aitbc/shared/wallet/outcome'
import { trouble, type Trouble } from '@aitbc/shared/wallet/trouble'
import { faucetAbi, faucetAddress } from './contracts.js'

export default function Faucet() {
  return (
    <>
      <h1>Faucet</h1>
      <Gate why="The faucet gives coins of a test network to the account of your wallet.">{(who) => <Drip who={who} />}</Gate>
    </>
  )
}

async function look(account: `0x${string}`) {
  const code = await reader.getCode({ address: faucetAddress })
  if (!code || code === '0x') return null
  const read = <T extends 'nextDrip' | 'available' | 'params'>(functionName: T) => reader.readContract({ address: faucetAddress, abi: faucetAbi, functionName, args: functionName === 'nextDrip' ? [account] : [] } as never)
  const [next, available, params, balance, stock, block] = await Promise.all([read('nextDrip'), read('available'), read('params'), reader.getBalance({ address: account }), reader.getBalance({ address: faucetAddress }), reader.getBlock()])
  // The chain's clock counts, and is behind this one.
  return { time: Number(block.timestamp), next: Number(next), available: available as bigint, params: params as { amount: bigint; hourlyCap: bigint; cooldown: bigint }, balance, stock }
}

function Drip({ who }: { who: Who }) {
  const act = useAct()
  const state = useQuery({ queryKey: ['faucet', who.account], queryFn: () => look(who.account), refetchInterval: 5_000 })
  if (state.error) return <Failure error={new Error('The node does not answer.')} retry={() => void state.refetch()} />
  if (state.data === undefined) return <Waiting />
  if (state.data === null) return <p className="notice">This network has no faucet: its coins are earned, or sent by who has some.</p>
  const s = state.data
  const wait = s.next > s.time
  const dry = s.available < s.params.amount || s.stock < s.params.amount
  return (
    <Section title="Coins to try with">
      <Facts list={[
        ['You have', <Amount of={String(s.balance)} />],
        ['It gives', <Amount of={String(s.params.amount)} />],
        ['Left in this hour', <Amount of={String(s.available)} />],
        ['For you again', wait ? <At seconds={s.next} /> : 'now'],
      ]} />
      <Outcome of={act} />
      {s.balance === 0n ? (
        <First who={who} dry={dry} done={() => void state.refetch()} />
      ) : (
        <button type="button" className="primary" disabled={wait || dry || act.busy !== ''} onClick={() => void act.run('drip', { address: faucetAddress, abi: faucetAbi, functionName: 'drip', args: [who.account] }, 'The coins are yours.')}>
          {act.busy ? 'Asking…' : wait ? 'Later again' : dry ? 'It is dry for now' : 'Give me coins'}
        </button>
      )}
    </Section>
  )
}

/** The first coins of an account that cannot pay for asking: the server asks for it, if it may. */
function First({ who, dry, done }: { who: Who; dry: boolean; done: () => void }) {
  const config = useAsk<Config>('/api/config')
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState<Trouble>()
  if (!config.data) return <Waiting />
  if (!config.data.faucet) {
    return <div className="notice"><p><b>Your account is empty, and asking is a transaction, which costs a little.</b> Somebody who has coins asks for you: <code>aitbc faucet {who.account}</code>. After that the button here works.</p></div>
  }
  const go = async () => {
    setBusy(true)
    setWrong(undefined)
    try {
      await ask('/api/faucet', { body: { to: who.account } })
      done()
    } catch (e) {
      setWrong(trouble(e))
    }
    setBusy(false)
  }
  return (
    <>
      {wrong && <Wrong of={wrong} close={() => setWrong(undefined)} />}
      <p>Your account is empty, so this server asks the faucet for you. Your wallet is not needed for it.</p>
      <button type="button" className="primary" disabled={busy || dry} onClick={() => void go()}>{busy ? 'Asking…' : dry ? 'It is dry for now' : 'Give me my first coins'}</button>
    </>
  )
}
