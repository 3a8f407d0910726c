// Showing a contract's source: the compiler's own input, which the server compiles again.
import { Answer, ask, Failure, useAsk, type ContractDetail } from '@aitbc/shared'
import { useQueryClient } from '@tanstack/react-query'
import { useState, type ChangeEvent, type FormEvent } from 'react'
import { open, type Opened } from './input.js'

export function Verify({ at, done }: { at: string; done: () => void }) {
  const compilers = useAsk<{ versions: string[] }>('/api/compilers')
  return (
    <Answer of={compilers}>
      {(c) => (c.versions.length === 0 ? (
        <div className="notice">
          <p><b>This explorer has no Solidity compiler.</b> Its operator installs solc, which is a program of its own, and starts <code>aitbc explorer --solc PATH</code>; anybody can do so with an explorer of their own.</p>
        </div>
      ) : <Form at={at} versions={c.versions} done={done} />)}
    </Answer>
  )
}

function Form({ at, versions, done }: { at: string; versions: string[]; done: () => void }) {
  const queries = useQueryClient()
  const [text, setText] = useState('')
  const [contract, setContract] = useState('')
  const [version, setVersion] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Error>()
  let opened: Opened | undefined
  let wrong = ''
  try {
    if (text.trim() !== '') opened = open(text)
  } catch (e) {
    wrong = (e as Error).message
  }
  const chosen = opened?.contracts.includes(contract) ? contract : (opened?.contracts[0] ?? '')
  const take = async (e: ChangeEvent<HTMLInputElement>) => {
    const file = e.target.files?.[0]
    if (file) setText(await file.text())
  }
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    if (!opened || chosen === '' || busy) return
    setBusy(true)
    setError(undefined)
    try {
      await ask<ContractDetail>(`/api/contracts/${at}/verify`, { body: { input: opened.input, contract: chosen, ...(version || opened.compiler ? { compiler: version || opened.compiler } : {}) } })
      await queries.invalidateQueries()
      done()
    } catch (cause) {
      setError(cause as Error)
    }
    setBusy(false)
  }
  return (
    <>
      <p>The compiler’s own input is compiled again here, and what comes out is compared with the code on the chain. From a project, one of these writes it:</p>
      <pre className="commands" tabIndex={0} role="region" aria-label="Commands that write the input">{`forge verify-contract ${at} src/File.sol:Name --show-standard-json-input > input.json
forge build --build-info      # out/build-info/*.json; Hardhat: artifacts/build-info/*.json
solc --standard-json < input.json   # if you compile by yourself, the input that you use`}</pre>
      <form className="ask verify" onSubmit={(e) => void submit(e)}>
        <label className="wide">File<input type="file" accept=".json,application/json" onChange={(e) => void take(e)} /></label>
        <label className="wide">or its text<textarea rows={6} spellCheck={false} value={text} onChange={(e) => setText(e.target.value)} aria-invalid={wrong !== '' ? true : undefined} /></label>
        {wrong && <p className="help" role="alert">{wrong}</p>}
        {opened && (
          <>
            <label>Contract<select value={chosen} onChange={(e) => setContract(e.target.value)}>{opened.contracts.map((c) => <option key={c}>{c}</option>)}</select></label>
            <label>Compiler<select value={version} onChange={(e) => setVersion(e.target.value)}>
              <option value="">{opened.compiler ? `${opened.compiler}, as the file says` : 'as the contract’s code says'}</option>
              {versions.map((v) => <option key={v} value={v}>{v}</option>)}
            </select></label>
          </>
        )}
        <button type="submit" className="primary" disabled={!opened || chosen === '' || busy}>{busy ? 'Compiling…' : 'Verify'}</button>
      </form>
      <div role="status">{busy && <p className="notice">The compiler works: that can take two minutes.</p>}</div>
      {error && <Failure error={error} />}
      <p className="help">Everybody can read what you show. The constructor’s arguments are found on the chain.</p>
    </>
  )
}
