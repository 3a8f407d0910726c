// Package postgres keeps the coordinator's state of record in PostgreSQL, for
// one coordinator or several that share the work.
//
// Use cases of jobs are committed in groups: one round trip locks and loads what
// a group touches, the rules of package ledger run on it in memory, and another
// round trip writes and commits. Rows are locked in one order, sessions before
// miners before jobs, each by key, so that the groups of several processes wait
// for each other and never in a circle.
//
// Amounts are NUMERIC, which is exact. Texts that others choose are bytea: they
// may hold what PostgreSQL's text may not.
package postgres
