// What is known of a contract: its files, its interface, its compiler.
import { Ago, Badge, count, Facts, Id, type ContractDetail, type Match } from '@aitbc/shared'
import type React from 'react'
import { Args } from '../events.js'

const words: Record<Match, [kind: 'good' | 'warn' | 'plain', text: string, means: string]> = {
  network: ['good', 'the network’s', 'One of the network’s own contracts: this program has its interface, and its source is in the program’s repository, under contracts/src.'],
  full: ['good', '✓ verified', 'These very files and settings make this very code: the code bears their fingerprint.'],
  partial: ['warn', '✓ same code', 'The files make code that does the same. Comments, names and whatever else makes no code may be others than its maker’s.'],
  '': ['plain', 'not verified', 'Nobody has shown its source here.'],
}

export function MatchBadge({ of }: { of: Match }) {
  return <Badge kind={words[of][0]}>{words[of][1]}</Badge>
}

export function Source({ of: c }: { of: ContractDetail }) {
  const i = c.implementation
  const facts: [string, React.ReactNode][] = [
    ...(c.name ? [['Name', <bdi>{c.name}</bdi>] as [string, React.ReactNode]] : []),
    ['Source', <><MatchBadge of={c.match} /> {words[c.match][2]}</>],
    ...(c.path ? [['File', <bdi>{c.path}</bdi>] as [string, React.ReactNode]] : []),
    ...(c.compiler ? [['Compiler', <>solc {c.compiler}</>] as [string, React.ReactNode]] : []),
    ...(c.time ? [['Shown', <Ago at={c.time} />] as [string, React.ReactNode]] : []),
    ...(c.match === 'full' || c.match === 'partial' ? [['Constructor', c.creation_compared ? 'is the source’s too' : 'was not compared: another contract made this one, or the index begins later'] as [string, React.ReactNode]] : []),
    ...(c.constructor && Object.keys(c.constructor).length > 0 ? [['Made with', <Args of={c.constructor} strange />] as [string, React.ReactNode]] : []),
    ...(c.libraries.length > 0 ? [['Libraries', c.libraries.map((l) => <div key={l.name}><bdi>{l.name}</bdi> <Id of={l.address} to={`/address/${l.address}`} /></div>)] as [string, React.ReactNode]] : []),
    ...(i ? [['Hands calls to', <><Id of={i.address} to={`/address/${i.address}`} /> <bdi>{i.name}</bdi> <MatchBadge of={i.match} /></>] as [string, React.ReactNode]] : []),
    ['Code', <><span className="num">{count(c.code_bytes)}</span> bytes, <small>keccak</small> <Id of={c.code_hash} /></>],
  ]
  return (
    <>
      {c.name && c.match !== 'network' && <p><small>Names and files are what the contract’s maker wrote: go by the address.</small></p>}
      <Facts list={facts} />
      {c.sources.map((s, n) => <Text key={s.path} name={s.path} text={s.content} open={n === 0} />)}
      {c.abi && <Text name="Interface (ABI)" text={JSON.stringify(c.abi, null, 1)} />}
      {c.settings && <Text name="Compiler settings" text={JSON.stringify(c.settings, null, 1)} />}
    </>
  )
}

function Text({ name, text, open }: { name: string; text: string; open?: boolean }) {
  return (
    <details className="file" open={open}>
      <summary><bdi>{name}</bdi> <small>{count(text.split('\n').length)} lines</small></summary>
      <pre tabIndex={0} role="region" aria-label={name}>{text}</pre>
    </details>
  )
}
