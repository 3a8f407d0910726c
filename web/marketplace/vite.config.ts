import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
// The SDK's sources lie beside the workspace: their packages are the ones of it.
const packages = Object.fromEntries(['viem', '@hpke/core', '@hpke/hybridkem-x-wing'].map((name) => [name, at(`../node_modules/${name}`)]))

export default defineConfig({
  plugins: [react()],
  resolve: { dedupe: Object.keys(packages), alias: packages },
  build: {
    outDir: at('../dist/marketplace'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
    reportCompressedSize: false,
  },
  server: { proxy: Object.fromEntries(['/api', '/coordinator', '/explorer', '/node'].map((p) => [p, process.env.MARKETPLACE ?? 'http://127.0.0.1:5173'])) },
})
