package llama_test

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/chat"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// spoken is the real program, spoken with frame by frame.
type spoken struct {
	t    *testing.T
	in   io.Writer
	out  io.Reader
	next uint64
}

func speak(t *testing.T, slots int) *spoken {
	t.Helper()
	run, in, out := start(t, slots, 2048)
	t.Cleanup(func() {
		_ = in.Close()
		if err := run.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("it ends with %v", err)
		}
	})
	s := &spoken{t: t, in: in, out: out}
	if r := s.hear(); r.Ready == nil {
		t.Fatalf("it says %+v", r)
	}
	return s
}

func (s *spoken) hear() (r wire.Reply) {
	s.t.Helper()
	if err := wire.Read(s.out, wire.MostReply, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// asks has a prompt continued, and returns in how many parts it was read before the last, how many tokens
// it has, and what followed.
func (s *spoken) asks(scope, prompt string) (parts int, tokens uint64, answer []*wire.Token) {
	s.t.Helper()
	s.next++
	begin := &wire.Request{Parts: []chat.Part{{Text: prompt}}, Scope: scope, MaxTokens: 8, Logprobs: true, TopLogprobs: 2}
	if err := wire.Write(s.in, wire.Ask{ID: s.next, Begin: begin}); err != nil {
		s.t.Fatal(err)
	}
	for {
		switch r := s.hear(); {
		case r.Alive:
			parts++
		case r.Prompt > 0:
			tokens = r.Prompt
		case r.Token != nil:
			answer = append(answer, r.Token)
		case r.Done != nil:
			if r.Done.Code != "" {
				s.t.Fatalf("%+v", r.Done)
			}
			return parts, tokens, answer
		}
	}
}

// alike says whether two answers are the same. Rounding differs with how many tokens are read at a time, so that two
// that are nearly as likely may change places, behind which anything may come.
func alike(a, b []*wire.Token) bool {
	for i := range min(len(a), len(b)) {
		x, y := a[i].Logprob, b[i].Logprob
		if math.Abs(x.Value-y.Value) > 0.1 {
			return false
		}
		if a[i].ID != b[i].ID {
			return x.Top[0].Value-x.Top[1].Value < 0.1
		}
	}
	return len(a) == len(b)
}

// A client's request goes on behind what its former one has in common with it, and the answer is the one
// that it would be without. Another client's does not, nor one of nobody.
func TestAClientsRequestGoesOnBehindItsFormerOne(t *testing.T) {
	t.Parallel()
	story := strings.Repeat("Tell me a story about a fox, a hen and the moon. ", 60) // several passes long
	for _, slots := range []int{1, 3} {
		s := speak(t, slots)
		whole, tokens, want := s.asks("", story)
		if whole < 2 || tokens < 600 || len(want) < 2 {
			t.Fatalf("%d parts, %d tokens, %d of an answer: too short to show anything", whole, tokens, len(want))
		}
		_, _, wantOther := s.asks("", story+"And then?")
		for i, c := range []struct {
			scope, more string
			parts       int
		}{
			{"ann", "", whole}, // nobody's is not hers
			{"bob", "", whole},
			{"bob", "", 0},
			{"bob", "And then?", 0},
			{"", "", whole}, // and hers is not nobody's
			{"bob", "And then?", 0},
		} {
			if slots == 1 && i == 5 {
				c.parts = whole // the only slot had another request
			}
			parts, n, got := s.asks(c.scope, story+c.more)
			answer := want
			if c.more != "" {
				answer = wantOther
			}
			if parts != c.parts || c.more == "" && n != tokens || !alike(got, answer) {
				t.Errorf("%d slots, request %d: read in %d parts, want %d; %d tokens of %d; the same answer: %v", slots, i, parts, c.parts, n, tokens, alike(got, answer))
			}
		}
		// What differs from the first word on is read as a whole.
		if parts, _, _ := s.asks("bob", "A hen. "+story); parts < whole {
			t.Errorf("%d slots: %d parts of another text, want %d", slots, parts, whole)
		}
	}
}

// Through the model as a miner has it: a conversation that goes on has the answers that each of its turns has alone.
func TestAConversationIsAnsweredAsItsTurnsAlone(t *testing.T) {
	t.Parallel()
	cfg := config(t, tiny)
	cfg.Slots = 2
	m := open(t, cfg)
	said := []engine.Message{{Role: engine.RoleSystem, Content: "Be brief, and tell of foxes, hens and the moon."}}
	for _, text := range []string{"Tell me a story about a fox.", "And a hen?", "And the moon?"} {
		said = append(said, engine.Message{Role: engine.RoleUser, Content: text})
		req := engine.Request{Messages: said, MaxTokens: 12, Logprobs: true, TopLogprobs: 2}
		alone := generate(t, m, req)
		req.Scope = "0xann"
		first := generate(t, m, req)
		again := generate(t, m, req)
		for _, r := range []result{first, again} {
			if r.PromptTokens != alone.PromptTokens || !alike(tokensOf(r), tokensOf(alone)) {
				t.Errorf("%q: %q in a conversation, %q alone; %d and %d tokens", text, r.text, alone.text, r.PromptTokens, alone.PromptTokens)
			}
		}
		said = append(said, engine.Message{Role: engine.RoleAssistant, Content: alone.text})
	}
}

func tokensOf(r result) (out []*wire.Token) {
	for _, t := range r.all {
		out = append(out, &wire.Token{ID: t.ID, Logprob: t.Logprob})
	}
	return out
}
