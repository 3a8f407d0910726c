// What can be imported: a phrase, a key, a key file.
import type { Source } from '../worker/commands.js'
import { Passphrase } from './parts.js'

const names: Record<Source['kind'], string> = { phrase: 'Phrase', hex: 'Private key', file: 'Key file' }

export function emptySource(kind: Source['kind']): Source {
  if (kind === 'phrase') return { kind, phrase: '' }
  return kind === 'hex' ? { kind, key: '' } : { kind, file: '', passphrase: '' }
}

export function SourceFields({ source, onChange, kinds }: { source: Source; onChange: (s: Source) => void; kinds: Source['kind'][] }) {
  return (
    <>
      {kinds.length > 1 && (
        <fieldset className="choice">
          <legend>What do you have?</legend>
          {kinds.map((k) => (
            <label key={k}>
              <input type="radio" name="kind" checked={source.kind === k} onChange={() => onChange(emptySource(k))} />
              <span>{names[k]}</span>
            </label>
          ))}
        </fieldset>
      )}
      {source.kind === 'phrase' && (
        <div className="field">
          <label htmlFor="phrase">The words, in their order</label>
          <textarea id="phrase" rows={4} required value={source.phrase} autoComplete="off" autoCapitalize="none" spellCheck={false} aria-describedby="phrase-hint" onChange={(e) => onChange({ ...source, phrase: e.target.value })} />
          <p id="phrase-hint" className="hint">12, 15, 18, 21 or 24 words of BIP-39; the first account is at m/44'/60'/0'/0/0.</p>
        </div>
      )}
      {source.kind === 'hex' && <Passphrase label="Private key" value={source.key} hint="64 hex digits, with or without 0x." onChange={(key) => onChange({ ...source, key })} />}
      {source.kind === 'file' && (
        <>
          <div className="field">
            <label htmlFor="file">Key file</label>
            <input id="file" type="file" required={source.file === ''} accept=".json,application/json" aria-describedby="file-hint" onChange={(e) => void e.target.files?.[0]?.text().then((file) => onChange({ ...source, file }))} />
            <p id="file-hint" className="hint">Web3 Secret Storage, version 3, as geth and aitbc write it.</p>
          </div>
          <Passphrase label="Passphrase of the file" value={source.passphrase} onChange={(passphrase) => onChange({ ...source, passphrase })} />
        </>
      )}
    </>
  )
}
