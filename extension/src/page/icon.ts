/** The wallet's picture, for sites that list wallets (EIP-6963). */
export const icon =
  'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 96 96%22%3E%3Crect width=%2296%22 height=%2296%22 rx=%2222%22 fill=%22%230a7a5c%22/%3E%3Cpath d=%22M22 72 48 22l26 50M33 56h30%22 fill=%22none%22 stroke=%22%23fff%22 stroke-width=%229%22 stroke-linecap=%22round%22 stroke-linejoin=%22round%22/%3E%3C/svg%3E'
