import { Amount, Answer, At, Badge, coins, Facts, Id, Section, Table, useAsk, useNow, type Account, type Event, type Page, type Proposal, type Supply } from '@aitbc/shared'
import { useQuery } from '@tanstack/react-query'
import { useAct } from '@aitbc/shared/wallet/act'
import { reader } from '@aitbc/shared/wallet/chain'
import { useWallets } from '@aitbc/shared/wallet/wallets'
import { Gate, type Who } from '@aitbc/shared/wallet/gate'
import { Outcome } from '@aitbc/shared/wallet/outcome'
import { governorAbi, governorAddress } from './contracts.js'

const kinds: Record<string, 'good' | 'bad' | 'warn' | 'plain'> = { active: 'warn', succeeded: 'good', queued: 'good', executed: 'good', defeated: 'bad', canceled: 'bad', expired: 'bad' }

export default function Vote() {
  const proposals = useAsk<Page<Proposal>>('/explorer/api/proposals', 5_000)
  return (
    <>
      <h1>Votes and treasury</h1>
      <Treasury />
      <Answer of={proposals}>
        {(p) => (
          <>
            {p.items.length === 0 && <Section title="Proposals"><p className="empty">Nothing has been proposed. Who has enough stake proposes with <code>aitbc gov propose</code>.</p></Section>}
            {p.items.map((v) => <One key={v.id} of={v} />)}
          </>
        )}
      </Answer>
    </>
  )
}

function Share({ name, part, whole }: { name: string; part: string; whole: bigint }) {
  const width = whole === 0n ? 0 : Number((BigInt(part) * 10_000n) / whole) / 100
  return (
    <div className="share">
      <span>{name}</span>
      <meter min={0} max={100} value={width} aria-label={`${name}: ${coins(part)} AITBC, ${width} per cent of the votes`} />
      <Amount of={part} />
    </div>
  )
}

function One({ of: v }: { of: Proposal }) {
  const { account } = useWallets()
  const all = BigInt(v.for) + BigInt(v.against) + BigInt(v.abstain)
  return (
    <Section title={`Proposal ${v.number}`} aside={<Badge kind={kinds[v.state] ?? 'plain'}>{v.state}</Badge>}>
      <p className="words">{v.description || 'The node does not have its text.'}</p>
      <Facts list={[
        ['It does', v.actions.map((a, i) => <div key={i}><bdi>{a}</bdi></div>)],
        ['By', <Id of={v.proposer} />],
        ['Vote', <><At seconds={v.vote_start} /> to <At seconds={v.vote_end} /></>],
        ['Quorum', <Amount of={v.quorum} />],
      ]} />
      <Share name="For" part={v.for} whole={all} />
      <Share name="Against" part={v.against} whole={all} />
      <Share name="Abstain" part={v.abstain} whole={all} />
      {v.state === 'active' && <Gate why="Stake votes: your own if you run a validator, or what you have delegated.">{(who) => <Ballot key={account} who={who} of={v} />}</Gate>}
      {v.state === 'pending' && <p className="help">The vote has not begun.</p>}
    </Section>
  )
}

const choices = [['For', 1], ['Against', 0], ['Abstain', 2]] as const

/** The votes of an account: its validator's, and its own of each delegation. */
function Ballot({ who, of: v }: { who: Who; of: Proposal }) {
  const act = useAct()
  const now = useNow() / 1000
  const account = useAsk<Account>(`/explorer/api/addresses/${who.account}`, 10_000)
  const operators = (account.data?.delegations ?? []).map((d) => d.operator).filter((o) => o.toLowerCase() !== who.account)
  const cast = useQuery({
    queryKey: ['cast', v.id, who.account, operators.join()],
    enabled: account.data !== undefined,
    queryFn: async () => {
      const voted = account.data!.validator && (await reader.readContract({ address: governorAddress, abi: governorAbi, functionName: 'hasVoted', args: [BigInt(v.id), who.account] }))
      const own = await Promise.all(operators.map((o) => reader.readContract({ address: governorAddress, abi: governorAbi, functionName: 'hasOverridden', args: [BigInt(v.id), who.account, o as `0x${string}`] })))
      return { voted, own }
    },
  })
  if (!account.data || !cast.data) return null
  const vote = (functionName: string, args: unknown[]) => void act.run('vote', { address: governorAddress, abi: governorAbi, functionName, args }, 'Your vote counts.')
  const buttons = (label: string, go: (support: number) => void) => (
    <span className="actions">{choices.map(([name, support]) => <button key={name} type="button" disabled={act.busy !== '' || v.vote_end <= now} aria-label={`${name}, ${label}`} onClick={() => go(support)}>{name}</button>)}</span>
  )
  return (
    <div className="ballot">
      <Outcome of={act} />
      {account.data.validator && (cast.data.voted ? <p>Your validator has voted.</p> : <div><p>With your validator’s stake, less what its delegators vote with themselves:</p>{buttons('as the validator', (s) => vote('castVote', [BigInt(v.id), s]))}</div>)}
      {account.data.delegations.filter((d) => d.operator.toLowerCase() !== who.account).map((d, i) => (
        <div key={d.operator}>
          {cast.data.own[i] ? <p>Your stake with <Id of={d.operator} /> has voted.</p> : <><p>With your <Amount of={d.amount} /> behind <Id of={d.operator} />, instead of its vote:</p>{buttons(`with the stake behind ${d.operator}`, (s) => vote('castOverrideVote', [BigInt(v.id), d.operator, s, '']))}</>}
        </div>
      ))}
      {!account.data.validator && operators.length === 0 && <p className="empty">This account has no stake that could vote.</p>}
      <p><small>A vote cannot be changed. It weighs what you had when the vote began.</small></p>
    </div>
  )
}

const treasury = '0x000000000000000000000000000000000000a103'

function Treasury() {
  const supply = useAsk<Supply>('/explorer/api/supply', 10_000)
  const moves = useAsk<Page<Event>>(`/explorer/api/events?address=${treasury}&limit=100`, 15_000)
  const list = (moves.data?.items ?? []).filter((e) => e.contract === 'Treasury' && (e.name === 'Received' || e.name === 'Spent'))
  return (
    <Section title="Treasury">
      <Answer of={supply}>{(s) => <dl className="figures"><div><dt>It holds</dt><dd><Amount of={s.treasury} /></dd></div><div><dt>Bonded stake</dt><dd><Amount of={s.bonded} /></dd></div><div><dt>All coins</dt><dd><Amount of={s.total} /></dd></div></dl>}</Answer>
      {list.length > 0 && (
        <Table cards name="What the treasury received and spent" rows={list.slice(0, 10)} id={(e) => `${e.height}.${e.seq}`} columns={[
          { name: 'Block', of: (e) => <span className="num">{e.height}</span> },
          { name: 'What', of: (e) => <Badge kind={e.name === 'Spent' ? 'warn' : 'good'}>{e.name === 'Spent' ? 'spent' : 'received'}</Badge> },
          { name: 'With', of: (e) => <Id of={String(e.args['to'] ?? e.args['from'])} /> },
          { name: 'Amount', right: true, of: (e) => <Amount of={String(e.args['amount'])} /> },
        ]} />
      )}
      <p className="help">Only a proposal that has won spends from it.</p>
    </Section>
  )
}
