// Package money buys thousands of jobs in every way that there is, well and badly behaved, while the services are killed, and
// then adds up: what was reserved, charged, refunded and paid must be the same in the ledger, in the receipts, in the
// vouchers and on the chain, to the unit.
package money
