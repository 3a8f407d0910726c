import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { send, type Call } from './chain.js'
import { trouble, type Trouble } from './trouble.js'

/** Sends one transaction at a time, says how it goes, and has the page ask anew when it is in a block. */
export function useAct() {
  const queries = useQueryClient()
  const [busy, setBusy] = useState('')
  const [done, setDone] = useState('')
  const [wrong, setWrong] = useState<Trouble>()
  const run = async (name: string, call: Call, after: string): Promise<boolean> => {
    if (busy !== '') return false
    setBusy(name)
    setWrong(undefined)
    setDone('')
    try {
      await send(call)
      setDone(after)
      await queries.invalidateQueries()
      setTimeout(() => void queries.invalidateQueries(), 1_500) // the explorer is a moment behind
      return true
    } catch (e) {
      setWrong(trouble(e))
      return false
    } finally {
      setBusy('')
    }
  }
  return { busy, done, wrong, run, close: () => setWrong(undefined) }
}

export type Act = ReturnType<typeof useAct>
