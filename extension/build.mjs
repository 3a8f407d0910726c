// Builds the extension into dist/unpacked, and packs it into a zip whose bytes
// depend on the sources alone: sorted names, one time, nothing compressed.
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { build } from 'esbuild'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const out = here('dist/unpacked')

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
cpSync(here('public'), out, { recursive: true })
const common = {
  bundle: true, minify: true, target: 'chrome120', legalComments: 'none', charset: 'utf8', logLevel: 'warning',
  jsx: 'automatic', define: { 'process.env.NODE_ENV': '"production"' },
  // The SDK's sources lie beside: their packages are the ones of this folder.
  alias: { viem: here('node_modules/viem') },
}
await build({ ...common, entryPoints: { worker: here('src/worker/main.ts'), main: here('src/ui/main.tsx') }, format: 'esm', outdir: out })
// What runs in pages is a classic script, alone in its file.
await build({ ...common, entryPoints: { content: here('src/page/content.ts'), inpage: here('src/page/inpage.ts') }, format: 'iife', outdir: out })

const names = readdirSync(out, { recursive: true, withFileTypes: true })
  .filter((f) => f.isFile())
  .map((f) => `${f.parentPath}/${f.name}`.slice(out.length + 1))
  .sort()
for (const name of names.filter((n) => n.endsWith('.js'))) {
  // The content policy would refuse them at run time; a build that has them is refused now.
  if (/\beval\(|new Function\(|import\(["'`]https?:/.test(readFileSync(`${out}/${name}`, 'utf8'))) throw new Error(`${name} makes code of text`)
}
const { version } = JSON.parse(readFileSync(here('public/manifest.json'), 'utf8'))
const archive = zip(names.map((name) => [name, readFileSync(`${out}/${name}`)]))
const file = `dist/aitbc-wallet-${version}.zip`
writeFileSync(here(file), archive)
const sizes = names.filter((n) => /\.(js|css)$/.test(n)).map((n) => `${n} ${Math.ceil(readFileSync(`${out}/${n}`).length / 1024)} KiB`)
console.log(`${sizes.join(', ')}\n${file} ${createHash('sha256').update(archive).digest('hex')}`)

/** A zip of stored files, all of 1980-01-01. */
function zip(files) {
  const parts = []
  const directory = []
  let at = 0
  for (const [name, content] of files) {
    const common = Buffer.alloc(26) // from "version needed" to "length of the extra field"
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(0x800, 2) // names are UTF-8
    common.writeUInt16LE(0x21, 8)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(content.length, 14)
    common.writeUInt32LE(content.length, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    const head = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), content])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(at, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, tail, Buffer.from(name)]))
    parts.push(head)
    at += head.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, central, end])
}
