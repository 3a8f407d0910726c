package consensus

import (
	"context"
	"log/slog"
	"strings"

	"github.com/cometbft/cometbft/libs/log"
)

// logger hands CometBFT's messages to slog. Its information is our debugging: several lines a block.
type logger struct{ to *slog.Logger }

func (l logger) Debug(msg string, kv ...any) { l.log(slog.LevelDebug-4, msg, kv) }
func (l logger) Info(msg string, kv ...any)  { l.log(news(msg), msg, kv) }
func (l logger) Warn(msg string, kv ...any)  { l.log(slog.LevelWarn, msg, kv) }
func (l logger) Error(msg string, kv ...any) { l.log(slog.LevelError, msg, kv) }

// expected are messages that sound like failures and are how CometBFT stops.
var expected = map[string]bool{
	"Stopped accept routine, as transport is closed": true,
	"Won't start a peer - switch is not running":     true,
	"Error stopping pool":                            true, // of the blocks to fetch, which ended when there were none
}

func (l logger) log(level slog.Level, msg string, kv []any) {
	if expected[msg] {
		level = slog.LevelDebug
	}
	l.to.Log(context.Background(), level, msg, kv...) //nolint:sloglint // the message is CometBFT's
}

// news raises the one message without which a node seems to hang.
func news(msg string) slog.Level {
	if strings.HasPrefix(msg, "Genesis time is in the future") {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// With implements CometBFT's logger.
func (l logger) With(kv ...any) log.Logger { return logger{l.to.With(kv...)} }
