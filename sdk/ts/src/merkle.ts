// Merkle trees of receipts: docs/PROTOCOL.md section 3.
import { concat, keccak256, type Hex } from 'viem'

/** The leaf of a receipt in its batch's tree. */
export function leaf(id: Hex, digest: Hex): Hex {
  return keccak256(keccak256(concat([id, digest])))
}

/** Whether the path leads from the leaf to the root. */
export function verifyProof(root: Hex, start: Hex, path: readonly Hex[]): boolean {
  return path.reduce((a, b) => keccak256(a.toLowerCase() < b.toLowerCase() ? concat([a, b]) : concat([b, a])), start) === root
}
