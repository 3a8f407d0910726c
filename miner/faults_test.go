package miner_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
)

func TestBrokenStreamIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cutStreams = 2
	r.start(t)
	a := order(t, 1, nil)
	r.give(a)
	r.wait("result")
	if got := r.streams[a.JobID]; len(got) != 3 || got[2].Text != " three" {
		t.Fatalf("stream %+v", got)
	}
}

func TestCoordinatorThatRestartsGetsTheResult(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model.gate = make(chan struct{}, 3)
	r.start(t)
	a := order(t, 1, nil)
	r.give(a)
	r.model.gate <- struct{}{}
	r.wait("piece")
	r.set(func() { r.down = true })
	r.restart() // in the middle of the stream: keys and pieces are gone
	r.model.gate <- struct{}{}
	r.model.gate <- struct{}{}
	eventually(t, "the result is on disk", func() bool { return r.unsent(t) == 1 })
	r.set(func() { r.down = false })
	r.wait("register")
	r.wait("result")
	if got := r.streams[a.JobID]; len(got) != 3 || r.resultOf(a).Receipt.CompletionTokens != 3 {
		t.Fatalf("stream %+v", got)
	}
	eventually(t, "the result is forgotten", func() bool { return r.unsent(t) == 0 })
}

func TestStreamLostByARestartBeforeTheResultIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cutResults = 1
	r.start(t)
	a := order(t, 1, nil)
	r.give(a)
	r.wait("result cut")
	r.set(func() { delete(r.results, a.JobID); r.accepted, r.total = 0, market.Amount{} })
	r.restart()
	r.wait("result")
	if r.accepted != 1 || len(r.streams[a.JobID]) != 3 {
		t.Fatalf("%d accepted, %d pieces", r.accepted, len(r.streams[a.JobID]))
	}
}

func TestResultSurvivesACrashBeforeItsAcknowledgement(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.grace = time.Millisecond
	r.cutResults = 1 << 30 // taken, never answered
	r.start(t)
	a := order(t, 1, nil)
	r.give(a)
	r.wait("result cut")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if r.unsent(t) != 1 {
		t.Fatal("the result is lost")
	}
	r.set(func() { r.cutResults = 0 })
	r.start(t) // a new process on the same directory
	r.wait("result")
	eventually(t, "the result is forgotten", func() bool { return r.unsent(t) == 0 })
	if r.accepted != 1 || len(r.model.called()) != 1 {
		t.Fatalf("accepted %d times, ran %d times", r.accepted, len(r.model.called()))
	}
}

// A miner that was killed gets its own job again, and with it the late order to
// stop the lease that it lost.
func TestStopOfAnEarlierLeaseDoesNotStopTheNext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model.gate = make(chan struct{}, 3)
	r.start(t)
	r.wait("heartbeat")
	a := order(t, 1, nil)
	r.set(func() { r.stale = []common.Hash{a.JobID} })
	r.give(a)
	r.model.gate <- struct{}{}
	r.wait("piece")
	r.wait("stale stop")
	r.wait("heartbeat") // the one with the stop
	r.wait("heartbeat") // so the miner has its answer
	r.model.gate <- struct{}{}
	r.model.gate <- struct{}{}
	r.wait("result")
	if got := r.resultOf(a); got.FinishReason != "stop" || got.Receipt.CompletionTokens != 3 {
		t.Fatalf("%+v", got)
	}
}

func TestAnswerThatDivergesIsGivenUp(t *testing.T) {
	t.Parallel()
	id := func(n uint32) *uint32 { return &n }
	for name, known := range map[string][]api.Piece{
		"other words": {{Index: 0, ID: id(99), Text: "two"}},
		"longer":      {{Index: 0, ID: id(10), Text: "one"}, {Index: 1, ID: id(11), Text: " two"}, {Index: 2, ID: id(12), Text: " three"}, {Index: 3, ID: id(13), Text: " four"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			a := order(t, 1, nil)
			r.streams[a.JobID] = known
			r.start(t)
			r.give(a)
			r.wait("failure")
			r.mu.Lock()
			f := r.failures[a.JobID]
			r.mu.Unlock()
			if f.Code != "diverged" || !f.Retryable || r.unsent(t) != 0 {
				t.Fatalf("failure %+v", f)
			}
		})
	}
}
