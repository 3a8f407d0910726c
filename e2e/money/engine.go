package money

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Model is what the engine calls its model.
const Model = "money"

// promptTokens is what the engine counts for every prompt.
const promptTokens = 3

// Fate is what becomes of a job, chosen by its client: it is the prompt.
type Fate struct {
	ID    string `json:"id"`    // of the job, so that the engine knows it again
	Words int    `json:"words"` // to say
	Fail  int    `json:"fail"`  // attempts that the server refuses
	Cut   int    `json:"cut"`   // attempts, after those, that break off in the middle
	Pause int    `json:"pause"` // milliseconds between two words
}

// engine is a model server of OpenAI's kind that does to each job what its fate says.
type engine struct {
	// mu guards seen.
	mu   sync.Mutex
	seen map[string]int // attempts of a job
}

// Serve starts an engine for a test and returns its address.
func Serve(t testing.TB) string {
	t.Helper()
	e := &engine{seen: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"object":"list","data":[{"id":%q,"object":"model"}]}`, Model)
	})
	mux.HandleFunc("POST /v1/chat/completions", e.answer)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL + "/v1"
}

func (e *engine) answer(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Messages []struct{ Content string } `json:"messages"`
	}
	var f Fate
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || len(q.Messages) != 1 || json.Unmarshal([]byte(strings.TrimSpace(q.Messages[0].Content)), &f) != nil {
		http.Error(w, "no fate", http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	e.seen[f.ID]++
	attempt := e.seen[f.ID]
	e.mu.Unlock()
	if attempt <= f.Fail {
		http.Error(w, `{"error":{"message":"out of memory"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range f.Words {
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"w%d \"},\"finish_reason\":null}]}\n\n", i)
		_ = http.NewResponseController(w).Flush()
		if attempt <= f.Fail+f.Cut && i >= f.Words/2 {
			panic(http.ErrAbortHandler)
		}
		if f.Pause > 0 {
			select {
			case <-time.After(time.Duration(f.Pause) * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
	fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: [DONE]\n\n", promptTokens, f.Words, promptTokens+f.Words)
}
