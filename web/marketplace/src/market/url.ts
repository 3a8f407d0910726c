/** Changes the address without a step of the history: a filter that is typed is not thirty pages. */
export function replace(path: string): void {
  window.history.replaceState(null, '', path)
  window.dispatchEvent(new Event('aitbc:moved'))
}
