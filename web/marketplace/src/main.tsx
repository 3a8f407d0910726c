import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { Refused } from '@aitbc/shared'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import '@aitbc/shared/style.css'
import './style.css'
import { listen } from '@aitbc/shared/wallet/wallets'
import { App } from './app.js'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (times, error) => times < 2 && (!(error instanceof Refused) || error.status === 0 || error.status >= 500),
      refetchOnWindowFocus: false,
    },
  },
})

listen()

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
)
