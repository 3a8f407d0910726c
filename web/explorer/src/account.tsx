import type React from 'react'
import { lazy, Suspense } from 'react'
import { Amount, Answer, At, Badge, count, Facts, Id, Section, Table, useAsk, Waiting, type Account as Data, type Event, type Participant, type Tx } from '@aitbc/shared'
import { Events } from './events.js'
import { Paged } from './paged.js'
import { Holdings, TokenOf } from './tokens.js'
import { txColumns } from './txs.js'

// Reading and writing a contract needs codecs and wallets: they come with the first contract.
const Contract = lazy(() => import('./contract/section.js'))

type Fact = [string, React.ReactNode]

function participant(name: string, p: Participant | null): Fact[] {
  if (!p) return []
  return [
    [name, <><Amount of={p.stake} /> at stake{p.unbonding !== '0' && <>, <Amount of={p.unbonding} /> leaving</>}{p.jailed_until > Date.now() / 1000 && <Badge kind="bad">jailed until <At seconds={p.jailed_until} /></Badge>}</>],
    [`${name}’s signer`, <Id of={p.signer} to={`/address/${p.signer}`} />],
    ...(p.endpoint ? [[`${name}’s endpoint`, p.endpoint] as Fact] : []),
  ]
}

export function Account({ id }: { id: string }) {
  const answer = useAsk<Data>(`/api/addresses/${encodeURIComponent(id)}`, 10_000)
  return (
    <>
      <h1>
        Account
        {answer.data?.contract && <Badge kind="plain">{answer.data.contract} of the network</Badge>}
        {answer.data?.code && !answer.data.contract && <Badge kind="plain">contract</Badge>}
        {answer.data?.miner && <Badge kind="good">miner</Badge>}
        {answer.data?.coordinator && <Badge kind="good">coordinator</Badge>}
        {answer.data?.validator && <Badge kind="good">validator</Badge>}
      </h1>
      <Answer of={answer}>
        {(a) => (
          <>
            <Section title="In brief">
              <Facts list={[
                ['Address', <Id of={a.address} whole />],
                ['Also spelled', <Id of={a.bech32} whole />],
                ['Balance', <Amount of={a.balance} />],
                ...(a.withdrawable !== '0' ? [['Waits to be withdrawn', <Amount of={a.withdrawable} />] as Fact] : []),
                ['Transactions sent', count(a.nonce)],
                ...participant('Miner', a.miner),
                ...participant('Coordinator', a.coordinator),
                ...(a.operator ? [['Consensus key of', <Id of={a.operator} to={`/address/${a.operator}`} />] as Fact] : []),
              ]} />
            </Section>
            {(a.delegations.length > 0 || a.unbonding.length > 0) && (
              <Section title="Stake">
                {a.delegations.length > 0 && (
                  <Table name="Delegations" rows={a.delegations} id={(d) => d.operator} columns={[
                    { name: 'Validator', of: (d) => <Id of={d.operator} to={`/address/${d.operator}`} /> },
                    { name: 'Delegated', right: true, of: (d) => <Amount of={d.amount} /> },
                    { name: 'Rewards due', right: true, of: (d) => <Amount of={d.rewards} /> },
                  ]} />
                )}
                {a.unbonding.length > 0 && (
                  <Table name="Unbonding" rows={a.unbonding} id={(u) => `${u.operator}${u.due_at}`} columns={[
                    { name: 'Leaves', of: (u) => <Id of={u.operator} to={`/address/${u.operator}`} /> },
                    { name: 'Amount', right: true, of: (u) => <Amount of={u.amount} /> },
                    { name: 'Due', of: (u) => <At seconds={u.due_at} /> },
                  ]} />
                )}
              </Section>
            )}
            {a.code && <Suspense fallback={<Waiting />}><Contract of={a.address} /></Suspense>}
            {a.code && !a.contract && <TokenOf contract={a.address} />}
            <Holdings of={a.address} />
            <Paged<Tx> title="Transactions" path={`/api/addresses/${a.address}/txs`} empty="No transaction names this account.">
              {(rows) => <Table name="Transactions" rows={rows} id={(t) => t.hash} columns={txColumns} />}
            </Paged>
            <Paged<Event> title="Sessions, jobs, earnings, stake and tokens" path={`/api/events?address=${a.address}`} empty="Neither the network’s contracts nor a token have named this account.">
              {(rows) => <Events list={rows} placed />}
            </Paged>
          </>
        )}
      </Answer>
    </>
  )
}
