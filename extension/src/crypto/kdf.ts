// argon2id, which makes guessing a passphrase slow. The work is done in
// WebAssembly: six times faster than in JavaScript, so that a guess costs an
// attacker six times more for the same wait.
import { argon2id } from 'hash-wasm'

/** The work of argon2id. */
export interface Cost {
  time: number
  memoryKiB: number
  threads: number
}

/** The second recommendation of RFC 9106, as in the wallet daemon: no vault is made or opened below it. */
export const floor: Cost = { time: 3, memoryKiB: 64 * 1024, threads: 4 }

/** What new vaults take: about a second on a machine of two slow cores. */
export const usual: Cost = { time: 3, memoryKiB: 128 * 1024, threads: 4 }

/** Whether a stored cost is one that we take. */
export function fits(c: Cost): boolean {
  const whole = [c.time, c.memoryKiB, c.threads].every(Number.isSafeInteger)
  return whole && c.time >= floor.time && c.memoryKiB >= floor.memoryKiB && c.threads >= floor.threads && c.time <= 16 && c.memoryKiB <= 1 << 20 && c.threads <= 16
}

/** The key of a passphrase, 32 bytes. */
export type Derive = (passphrase: string, salt: Uint8Array, cost: Cost) => Promise<Uint8Array>

/** {@link Derive} by argon2id. */
export const derive: Derive = (passphrase, salt, cost) =>
  argon2id({ password: passphrase.normalize('NFKC'), salt, iterations: cost.time, memorySize: cost.memoryKiB, parallelism: cost.threads, hashLength: 32, outputType: 'binary' })
