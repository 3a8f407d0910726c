package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/e2e/network"
)

type openAIUsage struct {
	Prompt     uint64 `json:"prompt_tokens"`
	Completion uint64 `json:"completion_tokens"`
	Total      uint64 `json:"total_tokens"`
}

// seenByOpenAI is what openai/check.mjs prints.
type seenByOpenAI struct {
	Models []string `json:"models"`
	Whole  struct {
		Object  string      `json:"object"`
		Text    string      `json:"text"`
		Finish  string      `json:"finish"`
		Usage   openAIUsage `json:"usage"`
		Receipt string      `json:"receipt"`
		Job     string      `json:"job"`
	} `json:"whole"`
	Stream struct {
		Text   string      `json:"text"`
		Chunks int         `json:"chunks"`
		Finish string      `json:"finish"`
		Usage  openAIUsage `json:"usage"`
	} `json:"stream"`
	Legacy   string   `json:"legacy"`
	Logprobs [][3]any `json:"logprobs"`
	Grammar  struct {
		Text   string `json:"text"`
		Finish string `json:"finish"`
		Wrong  string `json:"wrong"`
	} `json:"grammar"`
	Embeddings struct {
		Size  int         `json:"size"`
		Own   float64     `json:"own"`
		Other float64     `json:"other"`
		Usage openAIUsage `json:"usage"`
	} `json:"embeddings"`
	Batch struct {
		Status  string         `json:"status"`
		Counts  map[string]int `json:"counts"`
		IDs     []string       `json:"ids"`
		Texts   []string       `json:"texts"`
		Errors  [][2]any       `json:"errors"`
		Listed  bool           `json:"listed"`
		Files   int            `json:"files"`
		Deleted bool           `json:"deleted"`
	} `json:"batch"`
	Message struct {
		Text   string `json:"text"`
		Reason string `json:"reason"`
		Usage  struct {
			Input  uint64 `json:"input_tokens"`
			Output uint64 `json:"output_tokens"`
		} `json:"usage"`
		Streamed string `json:"streamed"`
		Missing  struct {
			Kind   string `json:"kind"`
			Status int    `json:"status"`
		} `json:"missing"`
	} `json:"message"`
	Missing struct {
		Kind    string `json:"kind"`
		Status  int    `json:"status"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"missing"`
	Unauthorized struct {
		Kind   string `json:"kind"`
		Status int    `json:"status"`
	} `json:"unauthorized"`
}

// OpenAI's own client lists models, completes, whole and streamed, embeds, and runs a batch,
// told nothing but a URL and a key; and so does Anthropic's.
func TestOpenAIClientWorksUnmodified(t *testing.T) {
	t.Parallel()
	dir := npmPackages(t, "openai")
	n := network.Start(t, network.Options{})
	cmd := exec.CommandContext(t.Context(), "node", "check.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+n.APIURL()+"/v1", "OPENAI_API_KEY="+n.APIKey().Reveal())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("check.mjs: %v", err)
	}
	var s seenByOpenAI
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("check.mjs printed %q: %v", out, err)
	}
	if len(s.Models) == 0 || s.Whole.Object != "chat.completion" || s.Whole.Text == "" || s.Legacy == "" {
		t.Fatalf("saw %+v", s)
	}
	if s.Stream.Text != s.Whole.Text || s.Stream.Usage != s.Whole.Usage || s.Stream.Finish != s.Whole.Finish || s.Stream.Chunks < 3 {
		t.Errorf("streamed and whole differ: %+v and %+v", s.Stream, s.Whole)
	}
	if u := s.Whole.Usage; u.Completion == 0 || u.Total != u.Prompt+u.Completion {
		t.Errorf("usage %+v", u)
	}
	if e := s.Embeddings; e.Size < 16 || e.Own < 0.999 || e.Own > 1.001 || e.Other > 0.9999 || e.Usage.Prompt == 0 || e.Usage.Total != e.Usage.Prompt {
		t.Errorf("embeddings %+v", e)
	}
	if len(s.Logprobs) != 3 || s.Logprobs[0][1].(float64) > 0 || s.Logprobs[0][2] != 2.0 {
		t.Errorf("logprobs %+v", s.Logprobs)
	}
	if g := s.Grammar; g.Text != "yes" && g.Text != "no" || g.Finish != "stop" || !strings.Contains(g.Wrong, "400") || !strings.Contains(g.Wrong, "line 1, column 10") {
		t.Errorf("grammar %+v", g)
	}
	if b := s.Batch; b.Status != "completed" || b.Counts["total"] != 4 || b.Counts["completed"] != 3 || b.Counts["failed"] != 1 || strings.Join(b.IDs, " ") != "line-0 line-1 line-2" ||
		b.Texts[0] == "" || b.Texts[0] != b.Texts[2] || len(b.Errors) != 1 || b.Errors[0] != [2]any{"bad", 400.0} || !b.Listed || b.Files != 2 || !b.Deleted {
		t.Errorf("batch %+v", b)
	}
	if m := s.Message; m.Text != s.Whole.Text || m.Streamed != m.Text || m.Usage.Input != s.Whole.Usage.Prompt || m.Usage.Output != s.Whole.Usage.Completion ||
		m.Reason == "" || m.Missing.Kind != "NotFoundError" || m.Missing.Status != 404 {
		t.Errorf("by Anthropic's client %+v, by OpenAI's %+v", m, s.Whole)
	}
	if s.Missing.Kind != "NotFoundError" || s.Missing.Status != 404 || s.Missing.Code != "model_not_found" || !strings.Contains(s.Missing.Message, "llama3.2") {
		t.Errorf("a model that nobody offers: %+v", s.Missing)
	}
	if s.Unauthorized.Kind != "AuthenticationError" || s.Unauthorized.Status != 401 {
		t.Errorf("a wrong key: %+v", s.Unauthorized)
	}

	// The answer's receipt is a receipt like any other.
	if job := settled(t, n, common.HexToHash(s.Whole.Job)); job.ReceiptID == nil || job.ReceiptID.Hex() != s.Whole.Receipt || job.Usage.CompletionTokens != s.Whole.Usage.Completion {
		t.Errorf("header names receipt %s, the job is %+v", s.Whole.Receipt, job)
	}
}

// npmPackages returns a directory with its npm packages, installing them if
// that was not done. The README asks for Node.
func npmPackages(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil {
		return dir
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}
