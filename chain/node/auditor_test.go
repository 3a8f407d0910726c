package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheNodeAddsUpItsMoneyByItself(t *testing.T) {
	n := create(t)
	n.conf.Listen.Metrics = "127.0.0.1:0"
	n.conf.CheckEvery = 2
	n.start(t)
	require.Eventually(t, func() bool {
		return !strings.Contains(scrape(t, n.doors.Metrics), "_money_checks_total{chain=\""+n.made.CometID+"\"} 0\n")
	}, 2*time.Minute, 100*time.Millisecond)
	require.Contains(t, scrape(t, n.doors.Metrics), "_money_check_problems{chain=\""+n.made.CometID+"\"} 0\n")
}
