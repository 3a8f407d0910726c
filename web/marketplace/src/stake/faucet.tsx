import { Amount, At, Facts, Failure, Section, useNow, Waiting } from '@aitbc/shared'
import { useQuery } from '@tanstack/react-query'
import { useAct } from '../wallet/act.js'
import { reader } from '../wallet/chain.js'
import { Gate, type Who } from '../wallet/gate.js'
import { Outcome } from '../wallet/outcome.js'
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
  const [next, available, params, balance, stock] = await Promise.all([read('nextDrip'), read('available'), read('params'), reader.getBalance({ address: account }), reader.getBalance({ address: faucetAddress })])
  return { next: Number(next), available: available as bigint, params: params as { amount: bigint; hourlyCap: bigint; cooldown: bigint }, balance, stock }
}

function Drip({ who }: { who: Who }) {
  const now = useNow() / 1000
  const act = useAct()
  const state = useQuery({ queryKey: ['faucet', who.account], queryFn: () => look(who.account), refetchInterval: 5_000 })
  if (state.error) return <Failure error={new Error('The node does not answer.')} retry={() => void state.refetch()} />
  if (state.data === undefined) return <Waiting />
  if (state.data === null) return <p className="notice">This network has no faucet: its coins are earned, or sent by who has some.</p>
  const s = state.data
  const wait = s.next > now
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
        <div className="notice"><p><b>Your account is empty, and asking is a transaction, which costs a little.</b> Somebody who has coins asks for you: <code>aitbc faucet {who.account}</code>. After that the button here works.</p></div>
      ) : (
        <button type="button" className="primary" disabled={wait || dry || act.busy !== ''} onClick={() => void act.run('drip', { address: faucetAddress, abi: faucetAbi, functionName: 'drip', args: [who.account] }, 'The coins are yours.')}>
          {act.busy ? 'Asking…' : wait ? 'Later again' : dry ? 'It is dry for now' : 'Give me coins'}
        </button>
      )}
    </Section>
  )
}
