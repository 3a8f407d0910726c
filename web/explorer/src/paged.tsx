import { Answer, go, Section, useAsk, useLocation, type Page } from '@aitbc/shared'
import type { ReactNode } from 'react'

/** A list of pages; where it stands is in the address, so that it can be sent on. */
export function Paged<T>({ title, path, empty, param = 'before', children }: { title: string; path: string; empty: string; param?: string; children: (rows: T[]) => ReactNode }) {
  const url = useLocation()
  const name = `${title.toLowerCase().replace(/\W+/g, '-')}`
  const at = url.searchParams.get(name) ?? ''
  const join = path.includes('?') ? '&' : '?'
  const answer = useAsk<Page<T>>(`${path}${join}limit=25${at ? `&${param}=${encodeURIComponent(at)}` : ''}`, at ? undefined : 5_000)
  const turn = (to: string) => {
    const next = new URLSearchParams(url.search)
    if (to) next.set(name, to)
    else next.delete(name)
    go(`${url.pathname}${next.size > 0 ? `?${next}` : ''}`)
  }
  return (
    <Section title={title} aside={<a href={`${path}${join}limit=1000&format=csv`} download>CSV</a>}>
      <Answer of={answer} empty={(p) => p.items.length === 0 && empty}>
        {(p) => (
          <>
            {children(p.items)}
            {(at || p.next) && (
              <div className="pager">
                <button type="button" disabled={!at} onClick={() => turn('')}>Newest</button>
                <button type="button" disabled={!p.next} onClick={() => turn(p.next)}>Older</button>
              </div>
            )}
          </>
        )}
      </Answer>
    </Section>
  )
}
