package coordinator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

const yesOrNo = "root ::= \"yes\" | \"no\" # é\n"

// A grammar goes to the miner as the client wrote it, within what the order commits to, by
// every way in which a job can be ordered.
func TestGrammarsReachTheMiner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	quoted, err := json.Marshal(yesOrNo)
	if err != nil {
		t.Fatal(err)
	}
	check := func(how string, a api.Assignment) {
		t.Helper()
		var req api.Request
		if err := api.Decode(a.Request, &req); err != nil || req.Grammar != yesOrNo {
			t.Errorf("%s: the miner reads %s: %v", how, a.Request, err)
		}
		if receipt.Input(receipt.Salt(a.Salt), a.Request) != a.Order.Input {
			t.Errorf("%s: the order commits to something else", how)
		}
		m.finish(a, "yes")
	}
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"tiny","max_tokens":16,"messages":[{"role":"user","content":"x"}],"grammar":` + string(quoted) + `}`,
		"/v1/completions":      `{"model":"tiny","max_tokens":16,"prompt":"x","stream":true,"grammar":` + string(quoted) + `}`,
	} {
		if status, raw := during(h, path, body, func() { check(path, m.claim()) }); status != 200 || !strings.Contains(raw, "yes") {
			t.Errorf("%s: %d %s", path, status, raw)
		}
	}
	status, raw := h.call(h.key, "POST", "/v1/jobs", `{"model":"tiny","max_tokens":16,"prompt":"x","grammar":`+string(quoted)+`}`)
	if status != 202 {
		t.Fatalf("%d %s", status, raw)
	}
	check("/v1/jobs", m.claim())

	// And signed by the client itself, through the Go SDK.
	p := h.openSelf(7, market.Coins(1), 12*time.Hour)
	s := p.sdk(h.srv.URL)
	s.Keys = fakeKeys{miner: m.key.Address(), coordinator: coordKey.Address()}
	ask := hello
	ask.Grammar = yesOrNo
	if _, err := s.Submit(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	check("signed", m.claim())
	h.balanced()
}

// What no miner could do is said at once, with the place of what is wrong.
func TestGrammarsThatAreNoneAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.miner(1)
	const chat = `{"model":"tiny","max_tokens":16,"messages":[{"role":"user","content":"x"}],"grammar":`
	for body, says := range map[string]string{
		chat + `"root ::= yes\nno ::= \"no\""}`:                                          `grammar: line 1, column 10: there is no rule \"yes\"`,
		chat + `"root ::= \"x\"","response_format":{"type":"json_object"}}`:              "give one of them",
		chat + `"root ::= \"x\"","tools":[{"type":"function","function":{"name":"f"}}]}`: "give one of them",
		chat + `"root ::= \"x\" # ` + strings.Repeat("x", 1<<16) + `"}`:                  "beyond 65536 bytes",
		chat + `{"root":"x"}}`: "grammar",
	} {
		if status, raw := h.call(h.key, "POST", "/v1/chat/completions", body); status != 400 || !strings.Contains(string(raw), says) {
			t.Errorf("%.120s: %d %s, want %s", body, status, raw, says)
		}
	}
	h.refused(400, "invalid_argument", h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Input: []string{"x"}, Grammar: yesOrNo})
	if status, raw := h.call(h.key, "POST", "/v1/jobs", api.SubmitRequest{Model: modelName, Prompt: "x", Grammar: "root = x"}); status != 400 || !strings.Contains(string(raw), "line 1, column 6") {
		t.Errorf("%d %s", status, raw)
	}
}
