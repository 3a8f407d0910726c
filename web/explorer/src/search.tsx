import { Answer, Badge, Link, Section, useAsk, type Found } from '@aitbc/shared'

export function Search({ q }: { q: string }) {
  const answer = useAsk<{ items: Found[] }>(q ? `/api/search?q=${encodeURIComponent(q)}` : null)
  return (
    <>
      <h1>Search</h1>
      <Section title={q ? `What ${q} may be` : 'Nothing was asked for'}>
        {q && (
          <Answer of={answer} empty={(r) => r.items.length === 0 && 'Nothing on the chain goes by this.'}>
            {(r) => (
              <ul className="results">
                {r.items.map((f) => <li key={f.kind + f.id}><Badge kind="plain">{f.kind}</Badge> <Link href={f.path}>{f.id}</Link> <small>{f.text}</small></li>)}
              </ul>
            )}
          </Answer>
        )}
      </Section>
    </>
  )
}
