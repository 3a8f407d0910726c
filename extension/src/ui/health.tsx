// How the node stands, when it stands badly.
import { call, useLoad, useTask } from './call.js'
import { Notice, Problem, useWallet } from './parts.js'

export function HealthNotice() {
  const { status } = useWallet()
  const { id, name, rpc, chainId } = status.network
  const health = useLoad(() => call('health'), [id, chainId], 4_000)
  const task = useTask()
  const h = health.value
  if (!h || h.state === 'ok') return null
  if (h.state === 'other') {
    return (
      <Notice kind="warn" action={<button type="button" disabled={task.busy} onClick={() => task.run(() => call('acceptChain', id))}>Use the new chain</button>}>
        The node of {name} is of chain {h.chainId} now, and was of {chainId}. If you have made a new devnet, that is right. If not, this is another node than you think.
        <Problem error={task.error} />
      </Notice>
    )
  }
  if (h.state === 'foreign') return <Notice kind="bad" action={<a className="button" href="#/settings/networks">Networks</a>}>{h.why}</Notice>
  return (
    <Notice kind="bad" action={<button type="button" onClick={health.again}>Try again</button>}>
      The node of {name} does not answer at {rpc}. {rpc.includes('127.0.0.1') && <>Start it with <code>aitbc up</code>.</>}
    </Notice>
  )
}
