import { Component, type ReactNode } from 'react'

/** Keeps a page that breaks from taking the others with it. */
export class Whole extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {}
  static getDerivedStateFromError = (error: Error) => ({ error })
  override render() {
    if (!this.state.error) return this.props.children
    return (
      <div className="notice bad" role="alert">
        <p><b>This page broke.</b> {this.state.error.message}. What you signed and deposited is on the chain, and safe.</p>
        <button type="button" onClick={() => window.location.reload()}>Load it again</button>
      </div>
    )
  }
}
