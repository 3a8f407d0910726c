// Package peers compares the coordinator with the queues that others use, River on
// PostgreSQL and asynq on Redis, on the same disk and in the same run. It is a
// module of its own, so that the root module does not depend on them.
//
//	cd bench/peers && go test -bench . -benchtime 3x ./...
//
// It needs PostgreSQL and redis-server, as Debian packages them.
package peers
