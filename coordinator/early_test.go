package coordinator_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sqlite"
	"github.com/aitbc/aitbc/coordinator/storetest"
)

// slowDisk holds every order that was decided until it is let go.
type slowDisk struct {
	storetest.Store
	wrote chan struct{}
}

func (s slowDisk) InsertJob(ctx context.Context, j *ledger.Job, sign func(*ledger.Job) error, decided func() (wait bool)) (*ledger.Job, error) {
	old, err := s.Store.InsertJob(ctx, j, sign, decided)
	<-s.wrote
	return old, err
}

// A miner may begin while an order is on its way to the disk. Whoever ordered is told nothing before it is there, and
// then gets the whole answer.
func TestMinerBeginsWhileTheOrderIsWritten(t *testing.T) {
	t.Parallel()
	wrote := make(chan struct{})
	path := filepath.Join(t.TempDir(), "c.db")
	h := newHouseOn(t, newFakeChain(), func() storetest.Store {
		s, err := sqlite.Open(context.WithoutCancel(t.Context()), sqlite.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return slowDisk{s, wrote}
	})
	m := h.miner(1)
	answered := make(chan string, 1)
	var client sync.WaitGroup
	client.Go(func() {
		status, raw := h.call(h.key, "POST", "/v1/chat/completions", `{"model": "`+modelName+`", "stream": true, "messages": [{"role": "user", "content": "hi"}]}`)
		if status != 200 {
			t.Errorf("%d %s", status, raw)
		}
		answered <- string(raw)
	})
	a := m.claim()
	m.finish(a, "Hel", "lo")
	if j := h.until(a.JobID, "completed", func(j api.Job) bool { return j.State.Terminal() }); j.Usage.CompletionTokens != 2 {
		t.Errorf("job %+v", j)
	}
	select {
	case text := <-answered:
		t.Errorf("answered before the order was on the disk: %s", text)
	default:
	}
	close(wrote)
	client.Wait()
	if text := <-answered; !strings.Contains(text, `"Hel"`) || !strings.Contains(text, `"lo"`) || !strings.Contains(text, "[DONE]") {
		t.Errorf("answered %s", text)
	}
	h.balanced()
}
