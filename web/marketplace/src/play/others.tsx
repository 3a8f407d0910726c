import { Amount, Badge, Link, Section } from '@aitbc/shared'
import { useQuery } from '@tanstack/react-query'
import type { Who } from '@aitbc/shared/wallet/gate'
import { closeElsewhere, elsewhere, useLive } from './live.js'

/** Sessions whose orders another program signs; the account closes them all the same. */
export function Others({ who, title, take }: { who: Who; title: string; take?: (session: number) => void }) {
  const { doing } = useLive()
  const list = useQuery({ queryKey: ['elsewhere', who.account, who.chain, doing === undefined], queryFn: () => elsewhere(who.account, who.chain), refetchInterval: 15_000 })
  if (!list.data || list.data.length === 0) return null
  return (
    <Section title={title} aside={<span>their keys are not in this browser</span>}>
      <ul className="results">
        {list.data.map(({ id, chain }) => (
          <li key={id}>
            <b>Session {id}</b> <span><Amount of={String(chain.deposit - chain.debited)} /> left</span>
            {chain.state === 2 ? <Badge kind="warn">closing</Badge> : (
              <>
                {take && <button type="button" disabled={!!doing} onClick={() => take(id)}>API key for session {id}</button>}
                <button type="button" disabled={!!doing} onClick={() => void closeElsewhere(id)}>Close session {id}</button>
              </>
            )}
          </li>
        ))}
      </ul>
      <p><small>Programs that spend from one stop when it is closed; what is left comes back. {!take && <Link href="/keys">About API keys</Link>}</small></p>
    </Section>
  )
}
