// The service worker: joins the wallet to the browser. It may be stopped at any
// moment, so it remembers nothing that matters: storage does.
import { derive, usual } from '../crypto/kdf.js'
import { ask } from '../chain/rpc.js'
import { ping } from '../page/wire.js'
import { Provider } from '../provider/provider.js'
import { Approvals } from './approvals.js'
import { commands, type Commands } from './commands.js'
import { Core } from './core.js'
import { Ports } from './ports.js'
import { ApprovalWindow } from './window.js'

const trusted = 'TRUSTED_CONTEXTS' as chrome.storage.AccessLevel
void chrome.storage.session.setAccessLevel({ accessLevel: trusted })
void chrome.storage.local.setAccessLevel({ accessLevel: trusted })

const own = chrome.runtime.getURL('')

let telling: ReturnType<typeof setTimeout> | undefined

/** Tells everybody who shows something, once for many changes at a time. */
function changed(): void {
  telling ??= setTimeout(() => {
    telling = undefined
    void tell()
  }, 20)
}

async function tell(): Promise<void> {
  await ports.deliver()
  const waiting = (await core.requests.all()).filter((r) => r.site && r.state === 'waiting').length
  await chrome.action.setBadgeText({ text: waiting > 0 ? String(waiting) : '' })
  await chrome.runtime.sendMessage(ping).catch(() => undefined) // no page of ours is open
  for (const tab of await chrome.tabs.query({})) if (tab.id !== undefined) void chrome.tabs.sendMessage(tab.id, ping).catch(() => undefined)
}

const lockAlarm = 'lock'
const outboxAlarm = 'outbox'

const core: Core = new Core({
  local: chrome.storage.local,
  session: chrome.storage.session,
  means: { derive, random: (n) => crypto.getRandomValues(new Uint8Array(n)), cost: usual },
  now: () => Date.now(),
  connect: ask,
  changed,
  lockAt: async (until) => {
    if (until === null) await chrome.alarms.clear(lockAlarm)
    else await chrome.alarms.create(lockAlarm, { when: until })
  },
  show: () => void approvalWindow.show().then(changed),
  leave: (id: number) => approvalWindow.leave(id),
})
const approvalWindow: ApprovalWindow = new ApprovalWindow(chrome.storage.session, core.requests, {
  open: async () => (await chrome.windows.create({ url: 'index.html?approve', type: 'popup', width: 420, height: 700, focused: true }))?.id ?? null,
  focus: async (id) => Boolean(await chrome.windows.update(id, { focused: true }).catch(() => null)),
})
const approvals = new Approvals(core)
const provider = new Provider(core)
const ports = new Ports(core, provider, changed)
const table = commands(core, approvals) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>

/** A command of one of our own pages. */
export interface Command {
  command: keyof Commands
  args: unknown[]
}

chrome.runtime.onMessage.addListener((message: Command, sender, respond) => {
  if (sender.id !== chrome.runtime.id || !sender.url?.startsWith(own) || !Object.hasOwn(table, message?.command)) return false
  table[message.command]!(...message.args).then(
    (value) => respond({ value }),
    (e: unknown) => respond({ error: e instanceof Error ? { name: e.name, message: e.message } : { name: 'Error', message: String(e) } }),
  )
  return true
})

chrome.runtime.onConnect.addListener((port) => {
  if (port.name === 'page') ports.accept(port)
})

chrome.tabs.onRemoved.addListener((id) => ports.closed(id))

chrome.windows.onRemoved.addListener((id) => {
  void (async () => {
    if (!(await approvalWindow.closed(id))) return
    for (const r of await core.requests.all()) if (r.site) await approvals.reject(r.key)
  })()
})

chrome.alarms.onAlarm.addListener((alarm) => {
  if (alarm.name === lockAlarm) void core.keys.state() // which locks what is over
  if (alarm.name === outboxAlarm) void outbox()
})

chrome.idle.onStateChanged.addListener((state) => {
  if (state === 'locked') void core.keys.lock()
})

chrome.runtime.onInstalled.addListener(({ reason }) => {
  if (reason === 'install') void chrome.tabs.create({ url: 'index.html' })
})

/** Offers again what waits, while anything does. */
async function outbox(): Promise<void> {
  if ((await core.outbox.pending()).length === 0) return
  const { chainId, ask: node } = await core.networks.ready()
  await core.outbox.refresh(chainId, node)
}

void chrome.alarms.create(outboxAlarm, { periodInMinutes: 1 })
void approvals.resume().then(changed)
