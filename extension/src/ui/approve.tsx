// The window that opens when a site asks for something.
import { useEffect, useRef } from 'react'
import { call } from './call.js'
import { useWallet } from './parts.js'
import { Review } from './review.js'
import { Unlock } from './unlock.js'

/** Closes the window, unless something has come meanwhile. */
async function leave(): Promise<void> {
  const { id } = await chrome.windows.getCurrent()
  if (await call('leave', id ?? chrome.windows.WINDOW_ID_NONE)) window.close()
}

export function Approve() {
  const { status } = useWallet()
  const first = status.waiting[0]
  const seen = useRef(false)
  if (first) seen.current = true
  const empty = !first
  useEffect(() => {
    // A moment, as the next request of a site often follows at once.
    if (!empty || !seen.current) return
    const timer = setTimeout(() => void leave(), 300)
    return () => clearTimeout(timer)
  }, [empty])
  if (!first) return <p className="empty" role="status">Nothing waits for you.</p>
  if (status.locking === 'none') return <p>Set up the wallet first: <a href="index.html" target="_blank" rel="noreferrer">open it</a>. Then ask again on the site.</p>
  if (status.locking === 'locked') return <Unlock why={`${first.origin} asks for something.`} />
  return (
    <>
      {status.waiting.length > 1 && <p className="soft" role="status">The first of {status.waiting.length} requests</p>}
      <Review key={first.key} id={first.key} onDone={() => undefined} />
    </>
  )
}
