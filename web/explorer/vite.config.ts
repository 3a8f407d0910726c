import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The SDK's sources lie beside the workspace: their packages are the ones of it.
export default defineConfig({
  plugins: [react()],
  resolve: { dedupe: ['viem'], alias: { viem: fileURLToPath(new URL('../node_modules/viem', import.meta.url)) } },
  build: {
    outDir: fileURLToPath(new URL('../dist/explorer', import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
    reportCompressedSize: false,
  },
  server: { proxy: Object.fromEntries(['/api', '/coordinator', '/node'].map((p) => [p, process.env.EXPLORER ?? 'http://127.0.0.1:3000'])) },
})
