import { useEffect, useState } from 'react'

/** A button that changes between light and dark; until it is pressed the system says. */
export function Theme() {
  const [theme, setTheme] = useState(() => localStorage.getItem('theme') ?? '')
  useEffect(() => {
    if (theme) document.documentElement.dataset['theme'] = theme
    else delete document.documentElement.dataset['theme']
    localStorage.setItem('theme', theme)
  }, [theme])
  const dark = theme ? theme === 'dark' : window.matchMedia('(prefers-color-scheme: dark)').matches
  return (
    <button type="button" className="theme" onClick={() => setTheme(dark ? 'light' : 'dark')} aria-label={dark ? 'Light colours' : 'Dark colours'} title={dark ? 'Light' : 'Dark'}>
      {dark ? '☀' : '☾'}
    </button>
  )
}
