// Packs the built files as the server hands them out, and holds each page to its
// size: what the first load takes, packed.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const most = 200 * 1024
for (const app of ['explorer', 'marketplace']) {
  const root = new URL(`dist/${app}/`, import.meta.url)
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((f) => f.isFile() && /\.(js|css|html|svg)$/.test(f.name))
  const size = {}
  for (const f of files) {
    const path = `${f.parentPath}/${f.name}`
    const packed = gzipSync(readFileSync(path), { level: 9 })
    packed[9] = 255 // not the system that it was packed on: the same bytes everywhere
    writeFileSync(`${path}.gz`, packed)
    size[f.name] = packed.length
  }
  const page = readFileSync(new URL('index.html', root), 'utf8')
  const first = Object.entries(size).filter(([name]) => name === 'index.html' || page.includes(name)).reduce((sum, [, n]) => sum + n, 0)
  console.log(`${app}: first load ${(first / 1024).toFixed(1)} KiB, everything ${(Object.values(size).reduce((a, b) => a + b) / 1024).toFixed(1)} KiB`)
  if (first > most) {
    console.error(`${app}: the first load is more than ${most} bytes`)
    process.exit(1)
  }
}
