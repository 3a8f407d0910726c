// The wallet's place in the header, and the choice among wallets.
import { short } from '../index.js'
import { useEffect, useRef, useState } from 'react'
import { trouble, type Trouble } from './trouble.js'
import { connect, disconnect, useWallets, type Wallet } from './wallets.js'

const opened = 'aitbc:wallets'

/** Opens the choice among wallets. */
export const openWallets = () => window.dispatchEvent(new Event(opened))

/** The button, with the dialog that {@link openWallets} opens; a quiet one is seen once a wallet is connected. */
export function WalletButton({ quiet }: { quiet?: boolean }) {
  const { wallet, account } = useWallets()
  const box = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const open = () => box.current?.showModal()
    window.addEventListener(opened, open)
    return () => window.removeEventListener(opened, open)
  }, [])
  return (
    <>
      {(account || !quiet) && <button type="button" className={account ? 'wallet' : 'wallet primary'} onClick={openWallets}>
        {account ? <><Icon of={wallet!} /> <span className="num">{short(account, 4)}</span></> : 'Connect wallet'}
      </button>}
      <dialog ref={box} aria-labelledby="wallets-title" onClick={(e) => e.target === box.current && box.current?.close()}>
        <Choice close={() => box.current?.close()} />
      </dialog>
    </>
  )
}

function Icon({ of }: { of: Wallet }) {
  // EIP-6963 has icons as data; anything else would reach out, and the content policy forbids it.
  return /^data:image\/(svg\+xml|png|webp|jpeg|gif)[;,]/.test(of.info.icon) ? <img src={of.info.icon} alt="" width="18" height="18" /> : null
}

function Choice({ close }: { close: () => void }) {
  const { wallets, wallet, account } = useWallets()
  const [waiting, setWaiting] = useState<string>()
  const [wrong, setWrong] = useState<Trouble>()
  const take = async (w: Wallet) => {
    setWaiting(w.info.uuid)
    setWrong(undefined)
    try {
      await connect(w)
      close()
    } catch (e) {
      setWrong(trouble(e))
    } finally {
      setWaiting(undefined)
    }
  }
  return (
    <div className="choice">
      <div className="head">
        <h2 id="wallets-title">{account ? 'Your wallet' : 'Choose a wallet'}</h2>
        <button type="button" className="close" aria-label="Close" onClick={close}>✕</button>
      </div>
      {wrong && <div className="notice bad" role="alert"><p><b>{wrong.title}.</b> {wrong.text}</p></div>}
      {account && <p className="id whole">{account}</p>}
      {wallets.length === 0 && (
        <div className="notice">
          <p>This browser has no wallet that this page can see. Install one that speaks EIP-6963 (AITBC’s own extension, MetaMask, Rabby and others do), and load the page again.</p>
        </div>
      )}
      <ul className="plain">
        {wallets.map((w) => (
          <li key={w.info.uuid}>
            <button type="button" disabled={waiting !== undefined} onClick={() => void take(w)} aria-current={w === wallet ? 'true' : undefined}>
              <Icon of={w} /> {w.info.name} {waiting === w.info.uuid && <small>waits for you…</small>}
            </button>
          </li>
        ))}
      </ul>
      {account && <button type="button" onClick={() => { disconnect(); close() }}>Disconnect</button>}
      <p><small>Browsing needs no wallet. It is asked before anything is signed, and this page never sees its keys.</small></p>
    </div>
  )
}
