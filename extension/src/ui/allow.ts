// Hosts that are not of this machine need the browser's permission.
import { goodURL } from '../chain/network.js'

/** Asks for the permission to speak with hosts; it has to be called by a click. */
export async function allow(urls: string[]): Promise<void> {
  const origins = urls.map(goodURL).filter((u) => u?.startsWith('https:')).map((u) => `${new URL(u!).origin}/*`)
  if (origins.length > 0 && !(await chrome.permissions.request({ origins }))) throw new Error('Without the browser’s permission the wallet cannot speak with this network.')
}
