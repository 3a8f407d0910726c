import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The SDK's sources lie beside: their packages are the ones of this folder.
export default defineConfig({ resolve: { alias: { viem: fileURLToPath(new URL('node_modules/viem', import.meta.url)) } }, test: { dir: 'test' } })
