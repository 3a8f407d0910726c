import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import '../../../web/shared/src/style.css'
import { App, place } from './app.js'
import './style.css'

document.documentElement.dataset.place = place
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
