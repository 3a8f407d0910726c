import { Amount, Answer, At, Badge, coins, Id, percent, Section, Table, units, useAsk, useNow, type Account, type Page, type Validator } from '@aitbc/shared'
import { useState, type FormEvent } from 'react'
import { useAct, type Act } from '@aitbc/shared/wallet/act'
import { Gate, type Who } from '@aitbc/shared/wallet/gate'
import { Outcome } from '@aitbc/shared/wallet/outcome'
import { stakingAbi, stakingAddress } from './contracts.js'

const call = (functionName: string, args: unknown[] = [], value?: bigint) => ({ address: stakingAddress, abi: stakingAbi, functionName, args, ...(value === undefined ? {} : { value }) })

const named = (v: Validator) => `${v.moniker || 'no name'} (${v.operator.slice(0, 10)}…), ${percent(v.commission_bps)}`

export default function Stake() {
  const validators = useAsk<Page<Validator>>('/explorer/api/validators', 10_000)
  return (
    <>
      <h1>Stake</h1>
      <Gate why="Stake behind a validator earns a part of what it earns, and votes.">{(who) => <Mine who={who} validators={validators.data?.items ?? []} />}</Gate>
      <Section title="Validators">
        <Answer of={validators} empty={(p) => p.items.length === 0 && 'There is none.'}>
          {(p) => (
            <Table cards name="Validators" rows={p.items} id={(v) => v.operator} columns={[
              { name: 'Validator', of: (v) => <><bdi>{v.moniker || 'no name'}</bdi><br /><Id of={v.operator} /></> },
              { name: 'Standing', of: (v) => <Badge kind={v.standing === 'active' ? 'good' : v.standing === 'jailed' || v.standing === 'tombstoned' ? 'bad' : 'plain'}>{v.standing}</Badge> },
              { name: 'Stake', right: true, of: (v) => <Amount of={v.tokens} /> },
              { name: 'Its own', right: true, of: (v) => <Amount of={v.self_stake} /> },
              { name: 'Commission', right: true, of: (v) => percent(v.commission_bps) },
              { name: 'Missed', right: true, of: (v) => <span className="num">{v.missed}</span> },
            ]} />
          )}
        </Answer>
      </Section>
    </>
  )
}

function Mine({ who, validators }: { who: Who; validators: Validator[] }) {
  const act = useAct()
  const account = useAsk<Account>(`/explorer/api/addresses/${who.account}`, 5_000)
  const name = (operator: string) => validators.find((v) => v.operator === operator)?.moniker || 'no name'
  const now = useNow() / 1000
  return (
    <>
      <Outcome of={act} />
      <Answer of={account}>
        {(a) => (
          <>
            <Delegate validators={validators} balance={a.balance} act={act} />
            <Section title="Your stake" aside={a.delegations.length > 0 && <span><Amount of={String(a.delegations.reduce((sum, d) => sum + BigInt(d.amount), 0n))} /></span>}>
              {a.delegations.length === 0 ? <p className="empty">You have none.</p> : a.delegations.map((d) => (
                <div className="event" key={d.operator}>
                  <p><b><bdi>{name(d.operator)}</bdi></b> <Id of={d.operator} /> <span><Amount of={d.amount} /></span> <small>rewards <Amount of={d.rewards} /></small></p>
                  <div className="actions">
                    <button type="button" disabled={act.busy !== '' || d.rewards === '0'} onClick={() => void act.run('claim', call('claimRewards', [d.operator]), 'The rewards are paid.')}>Claim rewards</button>
                    <Leave operator={d.operator} most={d.amount} validators={validators} act={act} />
                  </div>
                </div>
              ))}
              {a.delegations.length > 0 && validators.length > 1 && <p><small>Stake that moves is behind the other validator at once. It stays there, and liable for what the former one did, until nobody can prove that any more.</small></p>}
            </Section>
            {a.unbonding.length > 0 && (
              <Section title="On its way back" aside={<button type="button" disabled={act.busy !== '' || !a.unbonding.some((u) => u.due_at <= now)} onClick={() => void act.run('withdraw', call('withdraw'), 'What was due is paid.')}>Withdraw what is due</button>}>
                <Table cards name="Unbonding" rows={a.unbonding.map((u, i) => ({ ...u, i }))} id={(u) => u.i} columns={[
                  { name: 'From', of: (u) => <><bdi>{name(u.operator)}</bdi> <Id of={u.operator} /></> },
                  { name: 'Amount', right: true, of: (u) => <Amount of={u.amount} /> },
                  { name: 'Due', of: (u) => (u.due_at <= now ? <Badge kind="good">due</Badge> : <At seconds={u.due_at} />) },
                ]} />
                <p><small>Until then it is still liable for what the validator did before.</small></p>
              </Section>
            )}
          </>
        )}
      </Answer>
    </>
  )
}

function Delegate({ validators, balance, act }: { validators: Validator[]; balance: string; act: Act }) {
  const [to, setTo] = useState('')
  const [text, setText] = useState('')
  const amount = units(text)
  const chosen = to || validators.find((v) => v.standing === 'active')?.operator || ''
  const wrong = text === '' ? '' : amount === null || amount === 0n ? 'Write an amount such as 1.5.' : amount >= BigInt(balance) ? 'That is more than the account has, with the fee of the transaction.' : ''
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    if (amount && wrong === '' && chosen && (await act.run('delegate', call('delegate', [chosen], amount), `${coins(String(amount))} AITBC are behind the validator.`))) setText('')
  }
  return (
    <Section title="Delegate" aside={<span>you have <Amount of={balance} /></span>}>
      <form className="ask" onSubmit={(e) => void submit(e)}>
        <label>Validator<select value={chosen} onChange={(e) => setTo(e.target.value)}>{validators.map((v) => <option key={v.operator} value={v.operator}>{named(v)}</option>)}</select></label>
        <label>Amount, in AITBC<input inputMode="decimal" value={text} onChange={(e) => setText(e.target.value)} aria-invalid={wrong !== ''} /></label>
        <button type="submit" className="primary" disabled={act.busy !== '' || !amount || wrong !== '' || chosen === ''}>Delegate</button>
      </form>
      <p className="help" role={wrong ? 'alert' : undefined}>{wrong || 'It comes back by undelegating, after a delay; a validator that signs twice or is away for long loses a part of what is behind it.'}</p>
    </Section>
  )
}

const everything = 2n ** 128n - 1n

/** Stake leaves a validator: to its owner after a delay, or to another validator at once. */
function Leave({ operator, most, validators, act }: { operator: string; most: string; validators: Validator[]; act: Act }) {
  const [text, setText] = useState('')
  const [to, setTo] = useState('')
  const amount = text === '' ? everything : units(text)
  const wrong = amount === null || amount === 0n || (amount !== everything && amount > BigInt(most))
  const others = validators.filter((v) => v.operator !== operator && v.standing !== 'tombstoned')
  const chosen = others.find((v) => v.operator === to)?.operator ?? others.find((v) => v.standing === 'active')?.operator ?? others[0]?.operator
  return (
    <form className="inline" onSubmit={(e) => {
      e.preventDefault()
      if (!wrong) void act.run('undelegate', call('undelegate', [operator, amount]), 'It is on its way back.')
    }}>
      <input inputMode="decimal" value={text} aria-label={`Amount to take back or to move from ${operator}, in AITBC`} placeholder="all of it" aria-invalid={wrong} onChange={(e) => setText(e.target.value)} />
      <button type="submit" disabled={act.busy !== '' || wrong}>Take back</button>
      {chosen && (
        <>
          <select value={chosen} aria-label={`Validator to which stake moves from ${operator}`} onChange={(e) => setTo(e.target.value)}>
            {others.map((v) => <option key={v.operator} value={v.operator}>{named(v)}</option>)}
          </select>
          <button type="button" disabled={act.busy !== '' || wrong} onClick={() => void act.run('redelegate', call('redelegate', [operator, chosen, amount]), 'It is behind the other validator.')}>Move there</button>
        </>
      )}
    </form>
  )
}
