// Package vault keeps the secrets of one wallet in one encrypted file.
//
// A file has a header that anybody may read (name, kind, addresses), a random
// key wrapped with a passphrase (argon2id, XChaCha20-Poly1305), and two boxes
// sealed with that key: the secrets, and a state that belongs to whoever uses
// the vault. docs/WALLET.md has the format. Files are replaced atomically and
// readable by their owner alone.
package vault
