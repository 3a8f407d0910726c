import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
export default defineConfig({
  resolve: { alias: Object.fromEntries(['viem', '@hpke/core', '@hpke/hybridkem-x-wing'].map((name) => [name, at(`../node_modules/${name}`)])) },
})
