// Package ledger holds the coordinator's records and the rules by which they
// change: pure functions from the state before to the state after and the
// entries of the journal. The stores load, ask these rules, and save.
//
// The books are double entry: every change of money is a move of an integer
// amount from one account to another, so accounts add up by construction, and
// [Balances] recomputes from the journal what sessions and miners must have.
package ledger
