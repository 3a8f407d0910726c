package exact

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aitbc/aitbc/engine"
)

func open(t *testing.T, keep int) *Model {
	t.Helper()
	m, err := Embedded(Config{Threads: 2, KeepTokens: keep})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func answer(t *testing.T, m *Model, req engine.Request) (ids []uint32) {
	t.Helper()
	_, err := m.Generate(t.Context(), req, func(token engine.Token) error {
		ids = append(ids, token.ID)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return ids
}

// requests are n different ones: long and short, greedy and not.
func requests(n int) []engine.Request {
	r := rand.New(rand.NewPCG(31, 32))
	words := []string{"a fox", "the moon", "money", "a bear", "the sea", "and", "who", "runs", "to", "a receipt"}
	out := make([]engine.Request, n)
	for i := range out {
		var text strings.Builder
		text.WriteString(fmt.Sprintf("Story %d:", i))
		for range r.IntN(120) {
			text.WriteString(" " + words[r.IntN(len(words))])
		}
		out[i] = engine.Request{Prompt: text.String(), MaxTokens: 5 + uint64(r.IntN(30)), Seed: uint64(i)}
		if i%2 == 1 {
			out[i].TemperatureMilli = 900
		}
	}
	return out
}

func TestAnswersInCompanyAreThoseAlone(t *testing.T) {
	m := open(t, -1)
	asked := requests(40)
	want := make([][]uint32, len(asked))
	for i, req := range asked {
		want[i] = answer(t, m, req)
	}
	var wg sync.WaitGroup
	for i, req := range asked {
		wg.Go(func() {
			if got := answer(t, m, req); !slices.Equal(got, want[i]) {
				t.Errorf("request %d: %v beside others, %v alone", i, got, want[i])
			}
		})
	}
	wg.Wait()
	if m.schedule.busy || len(m.schedule.waiting) > 0 || m.schedule.away != 0 {
		t.Errorf("something is left: %+v", m.schedule)
	}
}

func TestRequestsGoThroughTheNetworkTogether(t *testing.T) {
	m := open(t, -1)
	steps, tokens := 0, 0
	// A first request computes; while it does, the others come.
	var wg sync.WaitGroup
	first := job{gone: t.Context().Err, seq: new(sequence), tokens: []uint32{1, 300}, turn: make(chan bool, 1), out: func([]float32) {}}
	m.schedule.busy, m.schedule.waiting = true, []*job{&first}
	for i := range 8 {
		wg.Go(func() {
			j := job{seq: new(sequence), tokens: []uint32{1, 300, uint32(400 + i)}, out: func([]float32) {}}
			if err := m.schedule.run(t.Context(), &j); err != nil {
				t.Error(err)
			}
		})
	}
	for range 8 {
		<-m.schedule.arrived
		m.schedule.mu.Lock()
		n := len(m.schedule.waiting)
		m.schedule.mu.Unlock()
		if n == 9 {
			break
		}
	}
	for _, s := range m.schedule.pick() {
		steps, tokens = steps+1, tokens+s.count
	}
	if steps != 9 || tokens != 2+8*3 {
		t.Errorf("a step takes %d tokens of %d requests", tokens, steps)
	}
	if !m.schedule.compute(&first) {
		t.Error("the first request is not done")
	}
	wg.Wait()
}

func TestLongPromptsDoNotStopTheAnswersOfOthers(t *testing.T) {
	s := newSchedule(open(t, -1).net, 0)
	add := func(n int) *job {
		j := &job{gone: t.Context().Err, seq: new(sequence), tokens: make([]uint32, n)}
		s.waiting = append(s.waiting, j)
		return j
	}
	long := add(1000)
	for range 50 {
		add(1)
	}
	counts := map[bool]int{}
	for _, sh := range s.pick() {
		counts[sh.job == long] += sh.count
	}
	if counts[true] != chunk/4 || counts[false] != chunk-chunk/4 {
		t.Errorf("the prompt has %d of a step, the answers %d", counts[true], counts[false])
	}
}

func TestWhatIsKnownIsNotComputedAgain(t *testing.T) {
	m := open(t, 640)
	req := requests(1)[0]
	for len(req.Prompt) < 1000 {
		req.Prompt += " and the fox runs"
	}
	plain := answer(t, m, req) // without a scope
	prompt, err := m.Prompt(req)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(scope string) int { return m.schedule.known.begin(scope, prompt).length }
	if n := begin("") + begin("ada"); n != 0 {
		t.Errorf("%d tokens are known after a request without a scope", n)
	}
	req.Scope = "ada"
	if got := answer(t, m, req); !slices.Equal(got, plain) {
		t.Errorf("with a scope: %v, without: %v", got, plain)
	}
	if n, most := begin("ada"), (len(prompt)-1)/pageSize*pageSize; n != most || n == 0 {
		t.Errorf("%d tokens are known, want %d of %d", n, most, len(prompt))
	}
	if n := begin("") + begin("bob"); n != 0 {
		t.Errorf("%d tokens are known to others", n)
	}
	if got := answer(t, m, req); !slices.Equal(got, plain) {
		t.Errorf("from what is known: %v, else: %v", got, plain)
	}
	longer := req
	longer.Prompt += " to the sea"
	want := longer
	want.Scope = ""
	if got := answer(t, m, longer); !slices.Equal(got, answer(t, m, want)) {
		t.Errorf("a longer prompt: %v from what is known", got)
	}
}

func TestWhatIsKnownIsBoundedAndTheOldestGoes(t *testing.T) {
	m := open(t, 8*pageSize)
	text := func(i int) []uint32 { return slices.Repeat([]uint32{uint32(300 + i)}, 3*pageSize) }
	read := func(i int) {
		seq := m.schedule.known.begin("s", text(i))
		if _, err := m.advance(t.Context(), seq, text(i)[seq.length:], false); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		read(i)
		read(0) // is used all the time
	}
	c := m.schedule.known
	if c.order.Len() > 8 || len(c.known) != c.order.Len() {
		t.Errorf("%d pages in order, %d known", c.order.Len(), len(c.known))
	}
	if n := c.begin("s", text(0)).length; n != 2*pageSize {
		t.Errorf("%d tokens of the text in use are known", n)
	}
	if n := c.begin("s", text(1)).length; n == 2*pageSize {
		t.Error("the oldest text is known as a whole")
	}
}

func TestSequencesThatBeginAlikeShareMemory(t *testing.T) {
	m := open(t, 64*pageSize)
	tokens := slices.Repeat([]uint32{1, 301, 302}, pageSize)
	// Both begin before either is known.
	a, b := m.schedule.known.begin("s", tokens), m.schedule.known.begin("s", tokens)
	var logits [2][]float32
	for i, seq := range []*sequence{a, b} {
		var err error
		if logits[i], err = m.advance(t.Context(), seq, tokens, false); err != nil {
			t.Fatal(err)
		}
	}
	for i := range a.pages {
		if a.pages[i] != b.pages[i] {
			t.Errorf("page %d stands twice in memory", i)
		}
	}
	if !slices.Equal(logits[0], logits[1]) {
		t.Error("the logits differ")
	}
}

func TestACanceledRequestLeavesTheOthersAlone(t *testing.T) {
	m := open(t, -1)
	asked := requests(6)
	want := answer(t, m, asked[1])
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var canceled atomic.Int32
	for _, i := range []int{0, 2, 4} {
		wg.Go(func() {
			req := asked[i]
			req.MaxTokens = 0
			r, err := m.Generate(ctx, req, func(token engine.Token) error {
				cancel()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if r.FinishReason == engine.Canceled {
				canceled.Add(1)
			}
		})
	}
	broken := errors.New("gone")
	wg.Go(func() {
		if _, err := m.Generate(t.Context(), asked[3], func(engine.Token) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
	wg.Go(func() {
		if got := answer(t, m, asked[1]); !slices.Equal(got, want) {
			t.Errorf("got %v beside canceled requests, %v alone", got, want)
		}
	})
	wg.Wait()
	if canceled.Load() == 0 {
		t.Error("no request was canceled")
	}
}
