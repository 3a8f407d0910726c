// Package money buys thousands of jobs in every way that there is, well and badly behaved, while the services are killed, and
// then adds up: what jobs cost must be the same in the ledger, in the receipts and on the chain, which vouchers debit, to the
// unit; nothing may stay reserved, and what is not paid is refunded.
package money
