// The compiler's input as people have it: by itself, or in a build-info file.

export interface Opened {
  input: { language: string; sources: Record<string, { content?: string }>; settings?: unknown }
  compiler: string
  /** PATH:Name of each contract that the sources seem to have, the project's own first. */
  contracts: string[]
}

/** Reads standard JSON, or the build-info file that Foundry and Hardhat write. Throws an Error that says what is wrong. */
export function open(text: string): Opened {
  let file: Record<string, unknown>
  try {
    file = JSON.parse(text) as Record<string, unknown>
  } catch {
    throw new Error('This is not JSON: it broke off, or is another file.')
  }
  if (file === null || typeof file !== 'object') throw new Error('This is not the compiler’s input.')
  const whole = file['input'] !== null && typeof file['input'] === 'object'
  const input = (whole ? file['input'] : file) as Opened['input']
  if (!input.sources || typeof input.sources !== 'object') throw new Error('This has no sources: choose the compiler’s input (standard JSON), or a build-info file, not an artifact or an ABI.')
  const missing = Object.entries(input.sources).find(([, s]) => typeof s?.content !== 'string')
  if (missing) throw new Error(`The source ${missing[0]} has no content here: every file’s text must be in it.`)
  const said = whole ? (file['solcLongVersion'] ?? file['solcVersion']) : undefined
  const contracts = Object.entries(input.sources)
    .flatMap(([path, s]) => [...s.content!.matchAll(/^\s*(?:abstract\s+)?(?:contract|library)\s+([A-Za-z_$][\w$]*)/gm)].map((m) => `${path}:${m[1]!}`))
    .sort((a, b) => Number(foreign(a)) - Number(foreign(b)))
  if (contracts.length === 0) throw new Error('No source of this has a contract.')
  const { language, sources, settings } = input
  return { input: { language: language ?? 'Solidity', sources, settings }, compiler: typeof said === 'string' ? said : '', contracts }
}

const foreign = (path: string) => /(^|\/)(node_modules|lib)\/|^@/.test(path)
