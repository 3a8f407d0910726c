// What a page needs before it can do anything: a wallet, and that on this network.
import { Failure, Waiting } from '../index.js'
import { useQuery } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { openWallets } from './button.js'
import { network } from './chain.js'
import { trouble, type Trouble } from './trouble.js'
import { change, useWallets } from './wallets.js'

export interface Who {
  account: `0x${string}`
  chain: number
}

export function Gate({ why, children }: { why: string; children: (who: Who) => ReactNode }) {
  const { account, chain, wallet } = useWallets()
  const net = useQuery({ queryKey: ['network'], queryFn: network, staleTime: Infinity })
  if (!account) {
    return (
      <div className="notice gate">
        <p><b>{wallet ? 'The wallet shows this page no account.' : 'This needs a wallet.'}</b> {why}</p>
        <button type="button" className="primary" onClick={openWallets}>Connect wallet</button>
      </div>
    )
  }
  if (net.error) return <Failure error={new Error('The node does not answer: nothing can be signed for now. What is on the chain is safe.')} retry={() => void net.refetch()} />
  if (!net.data) return <Waiting />
  if (chain !== net.data.id) return <Elsewhere to={net.data} />
  return <>{children({ account, chain })}</>
}

function Elsewhere({ to }: { to: { id: number; rpc: string } }) {
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState<Trouble>()
  const go = async () => {
    setBusy(true)
    setWrong(undefined)
    try {
      await change(to)
    } catch (e) {
      setWrong(trouble(e))
    }
    setBusy(false)
  }
  return (
    <div className="notice gate">
      <p><b>Your wallet is on another network.</b> This market is on chain {to.id}: the wallet can change to it, and learns it if it does not know it.</p>
      {wrong && <Wrong of={wrong} />}
      <button type="button" className="primary" disabled={busy} onClick={() => void go()}>{busy ? 'The wallet waits for you…' : 'Change network'}</button>
    </div>
  )
}

/** What went wrong, and a way to put the notice away. */
export function Wrong({ of, close }: { of: Trouble; close?: () => void }) {
  return (
    <div className="notice bad" role="alert">
      <p><b>{of.title}.</b> {of.text}</p>
      {close && <button type="button" onClick={close}>Close</button>}
    </div>
  )
}
