// Package coordinator takes jobs from clients, leases them to miners, charges
// the clients' sessions and settles with the chain.
//
// Its state of record is the SQL store; the scheduler, the leases and the token
// streams in memory are rebuilt from it after a restart. Money moves in the
// store's transactions only: a job is reserved before it is dispatched, and
// ends charged with a signed receipt or released, never both.
package coordinator
