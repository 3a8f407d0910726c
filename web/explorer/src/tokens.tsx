import { Answer, coins, count, Facts, Id, Section, Table, useAsk, type Holding, type Page, type Token, type TokenFacts } from '@aitbc/shared'

/** An amount of a token: what its maker says of its decimals is taken as it is. */
function Tokens({ of, units }: { of: TokenFacts; units: string }) {
  return <span className="num" title={`${units} of its smallest unit`}>{of.decimals === null ? count(units) : coins(units, of.decimals)} <small>{of.symbol || 'no symbol'}</small></span>
}

/** What an account has of tokens, if anything. */
export function Holdings({ of }: { of: string }) {
  const answer = useAsk<Page<Holding>>(`/api/addresses/${of}/tokens`, 10_000)
  if (answer.data?.items.length === 0) return null
  return (
    <Section title="Tokens" aside={<a href={`/api/addresses/${of}/tokens?limit=50&format=csv`} download>CSV</a>}>
      <Answer of={answer}>
        {(p) => (
          <>
            <p><small>Names and symbols are what each token’s maker wrote: go by the address.</small></p>
            <Table name="Tokens" rows={p.items} id={(h) => h.token} columns={[
              { name: 'Token', of: (h) => <>{h.name || 'no name'}<br /><Id of={h.token} to={`/address/${h.token}`} /></> },
              { name: 'Balance', right: true, of: (h) => (h.balance === null ? 'the contract does not say' : <Tokens of={h} units={h.balance} />) },
            ]} />
            {p.next && <p><small>There are more: the first {p.items.length} are shown.</small></p>}
          </>
        )}
      </Answer>
    </Section>
  )
}

/** What a contract says of itself, if it is a token. */
export function TokenOf({ contract }: { contract: string }) {
  const { data } = useAsk<Token>(`/api/tokens/${contract}`)
  if (!data) return null
  return (
    <Section title="Answers as a token">
      <Facts list={[
        ['Name', data.name || 'none'],
        ['Symbol', data.symbol || 'none'],
        ['Decimals', data.decimals === null ? 'it does not say' : data.decimals],
        ['In all', <Tokens of={data} units={data.total_supply} />],
      ]} />
    </Section>
  )
}
