// What went wrong, in words: of wallets, contracts, the coordinator and the way there.

export interface Trouble {
  title: string
  text: string
  /** Whether to do the same again makes sense. */
  again: boolean
}

interface Thrown {
  code?: unknown
  status?: unknown
  name?: unknown
  message?: unknown
  shortMessage?: unknown
  cause?: unknown
  data?: unknown
  details?: unknown
}

/** An error and what caused it, outermost first. */
function chainOf(e: unknown): Thrown[] {
  const list: Thrown[] = []
  for (let x = e; x !== null && typeof x === 'object' && list.length < 8; x = (x as Thrown).cause) list.push(x as Thrown)
  return list
}

const reverts: Record<string, string> = {
  BadAmount: 'The contract does not take this amount: it is zero, below the least one, or more than there is.',
  BadExpiry: 'The session would end too soon or too late.',
  CoordinatorInactive: 'The coordinator takes no new sessions: its bond is too low, or it is jailed.',
  SessionNotOpen: 'The session is closed or closing already.',
  TooSoon: 'This account was given coins already: the faucet gives again after a while.',
  HourlyCapReached: 'The faucet has given what it gives in an hour: come back in the next.',
  Empty: 'The faucet is empty.',
  TooMany: 'Too many unbondings at once: withdraw what is due first.',
  Closed: 'This validator takes no stake: it was removed for good, or has lost nearly all that was behind it.',
  Locked: 'This stake was redelegated, and stays until its former validator can no longer be punished for it.',
  NotDue: 'Nothing is due yet.',
  NoVotes: 'This account had no stake that could vote here when the vote began.',
  OwnStake: 'An operator votes with its own stake through its validator’s vote.',
  AlreadyOverridden: 'This stake has voted already.',
  GovernorAlreadyCastVote: 'This account has voted already: a vote cannot be changed.',
  GovernorUnexpectedProposalState: 'The proposal is not open for votes now.',
  UnknownValidator: 'There is no such validator.',
  NothingOwed: 'Nothing is owed to this account.',
}

/** Says what an error means for a person. */
export function trouble(e: unknown): Trouble {
  const chain = chainOf(e)
  const codes = chain.map((x) => x.code)
  const text = chain.map((x) => `${typeof x.message === 'string' ? x.message : ''} ${typeof x.details === 'string' ? x.details : ''}`).join(' ')
  const has = (...list: unknown[]) => codes.some((c) => list.includes(c))
  const found = (t: string, x: string, again: boolean): Trouble => ({ title: t, text: x, again })

  if (has(4001, 'ACTION_REJECTED')) return found('You declined', 'The wallet signed nothing, and nothing was spent.', true)
  if (has(4100)) return found('The wallet is locked', 'Unlock it, and let it show this page an account.', true)
  if (has(-32002)) return found('The wallet waits for you', 'It has an open question already: answer that first.', true)
  if (has(4900, 4901)) return found('The wallet is offline', 'It is not connected to this network: check its settings.', true)
  const name = Object.keys(reverts).find((n) => new RegExp(`\\b${n}\\b`).test(text))
  if (name) return found('The contract refused', reverts[name]!, false)
  if (/insufficient funds|exceeds the balance/i.test(text)) return found('Not enough coins', 'The account cannot pay this amount and the fee of the transaction.', false)
  if (/chain mismatch|does not match the target chain|ChainMismatch/i.test(text)) return found('Wrong network', 'The wallet is on another network: change it, and try again.', true)
  const code = codes.find((c): c is string => typeof c === 'string')
  const message = typeof chain[0]?.message === 'string' ? chain[0].message : String(e)
  switch (code) {
    case 'model_not_found':
      return found('No miner for this', 'Nobody who is there now offers this model under these terms. Nothing was spent.', true)
    case 'insufficient_funds':
      return found('The session cannot pay for this', `${message}. Nothing was spent.`, false)
    case 'unavailable':
    case 'unreachable':
      return found('The service does not answer', `${message}. What was ordered goes on, or is paid back by itself.`, true)
    case 'rate_limited':
      return found('Too many at once', message, true)
    case 'unauthorized':
      return found('The API key does not count any more', 'It was revoked or has expired. The wallet can sign for a new one.', false)
    case 'job_failed':
      return found('The job failed', `${message}. It costs nothing.`, true)
  }
  if (/no miner that may run this takes sealed jobs/.test(text)) return found('No miner takes this sealed', 'None that offers the model has a sealing key on the chain. With sealing off, the coordinator can read what you write.', false)
  if (chain.some((x) => x.name === 'Disagreement')) return found('What came does not hold', `${message}. Nothing was signed for it.`, false)
  if (chain.some((x) => x.name === 'TypeError') && /fetch|network/i.test(text)) return found('No connection', 'This page’s server does not answer. What was ordered goes on, or is paid back by itself.', true)
  const short = chain.map((x) => x.shortMessage).find((x): x is string => typeof x === 'string')
  return found('That did not work', short ?? message, true)
}
