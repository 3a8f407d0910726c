package node

import (
	"context"
	"log/slog"
	"strings"
)

// quiet lowers go-ethereum's information to debugging, as it is written for operators of another program, and so its
// warnings that are no news here.
type quiet struct{ slog.Handler }

// expected are alarms about how we use it: without peers of its own, with a database that begins empty, and with
// final blocks whose state did not reach the disk before a crash and which consensus replays.
var expected = map[string]bool{
	"P2P server will be useless, neither dialing nor listening": true,
	"Head block is not reachable":                               true,
}

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, lower(l))
}

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lower(r.Level)
	// "Served METHOD" with an error is an answer to a client's mistake.
	if strings.HasPrefix(r.Message, "Served ") || expected[r.Message] {
		r.Level = slog.LevelDebug
		if !q.Handler.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }

func lower(l slog.Level) slog.Level {
	if l < slog.LevelWarn {
		return l - 4
	}
	return l
}
