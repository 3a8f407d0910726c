import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The SDK's sources lie beside: their packages are the ones of this workspace.
export default defineConfig({ resolve: { alias: { viem: fileURLToPath(new URL('../node_modules/viem', import.meta.url)) } } })
