package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/network"
)

// slowModel is what the slow server calls its model.
const slowModel = "slow"

// slowServer speaks OpenAI's protocol and makes one word each pause, up to
// max_tokens. It lets a test act in the middle of a job.
func slowServer(t *testing.T, pause time.Duration) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/models") {
			fmt.Fprintf(w, `{"object":"list","data":[{"id":%q,"object":"model"}]}`, slowModel)
			return
		}
		var q struct {
			MaxTokens           int `json:"max_tokens"`
			MaxCompletionTokens int `json:"max_completion_tokens"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n := max(q.MaxTokens, q.MaxCompletionTokens)
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for i := range n {
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word%d \"},\"finish_reason\":null}]}\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n")
		fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: [DONE]\n\n", n, n+3)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/v1"
}

// offerSlow makes the network's miner sell the slow server's model too.
func offerSlow(t *testing.T, n *network.Network, url string) {
	t.Helper()
	offer(t, n, slowModel, fmt.Sprintf("kind = \"openai\"\nurl = %q\nmodels = [%q]\nprompt_rate = \"1\"\ncompletion_rate = \"2\"\nmax_tokens = 512\n", url, slowModel))
}

// offer gives the network's miner one more engine, and waits until a model of it is on offer.
func offer(t *testing.T, n *network.Network, model, engine string) {
	t.Helper()
	file := filepath.Join(n.Home.Miner(), "config.toml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "slots = 1", "slots = 4", 1) + "\n[[engine]]\n" + engine
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Kill("miner")
	n.Wait("the model "+model, func() bool {
		out, err := n.Run("models", "--json")
		return err == nil && strings.Contains(string(out), `"`+model+`"`)
	})
}
