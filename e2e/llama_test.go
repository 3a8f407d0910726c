package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/librarytest"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// A miner offers a file with llama.cpp; an answer is paid and proved, and
// with other weights in the file there is none.
func TestAModelOfLlamaIsPaidAndProved(t *testing.T) {
	t.Parallel()
	archive := librarytest.Archive(t)
	n := network.Start(t, network.Options{})
	b, err := library.Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Install(t.Context(), n.Home.Engines(), library.Source{From: []string{archive}}, nil); err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile("../engine/exact/model/aitbc-tiny.gguf")
	if err != nil {
		t.Fatal(err)
	}
	weights[len(weights)-200] ^= 1 // the embedded model is on offer already
	path := filepath.Join(t.TempDir(), "fox.gguf")
	if err := os.WriteFile(path, weights, 0o600); err != nil {
		t.Fatal(err)
	}
	offer(t, n, "fox", fmt.Sprintf("kind = \"llama\"\npath = %q\nprompt_rate = \"0.1\"\ncompletion_rate = \"0.5\"\nmax_tokens = 64\nthreads = 1\n", path))
	var got submitted
	n.JSON(&got, "submit", "Tell me a story about a fox.", "--model", "fox", "--max-tokens", "30")
	if got.State != market.Completed || got.Output == "" || got.Usage.CompletionTokens == 0 || got.Price.IsZero() {
		t.Fatalf("submit: %+v", got)
	}
	settled(t, n, got.JobID)
	verified(t, n, got.JobID)
	bundles, err := n.Client().Receipts(t.Context(), got.JobID)
	if err != nil || len(bundles) != 1 {
		t.Fatalf("%d receipts, %v", len(bundles), err)
	}
	proof, err := receipt.ParseBundle(bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := "llama.cpp/v0.5.0;arch=llama;quant=q8_0;gpu=none;det=none"; proof.Class != want {
		t.Errorf("the receipt is of class %q, want %q", proof.Class, want)
	}

	// An answer that keeps to a grammar, and a vector.
	grammar := filepath.Join(t.TempDir(), "fox.gbnf")
	if err := os.WriteFile(grammar, []byte(`root ::= "fox " [0-9]{3}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n.JSON(&got, "submit", "Tell me a story about a fox.", "--model", "fox", "--grammar", grammar)
	if !regexp.MustCompile(`^fox [0-9]{3}$`).MatchString(got.Output) || got.State != market.Completed {
		t.Errorf("with a grammar: %+v", got)
	}
	job, err := n.Client().Submit(t.Context(), api.SubmitRequest{Model: "fox", Input: []string{"A fox runs.", "Money for work."}}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Client().Follow(t.Context(), job.JobID, func(api.Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
	vectors, err := n.Client().Result(t.Context(), job.JobID)
	if err != nil || vectors.State != market.Completed || vectors.Usage.PromptTokens == 0 || len(vectors.Output) < 1000 {
		t.Errorf("vectors of %d characters, %+v, %v", len(vectors.Output), vectors.Job, err)
	}
	settled(t, n, job.JobID)
	verified(t, n, job.JobID)

	weights[len(weights)-100] ^= 1
	if err := os.WriteFile(path, weights, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := n.Run("submit", "Tell me a story about a fox.", "--model", "fox", "--max-tokens", "30", "--ttl", "15s", "--wait"); err == nil {
		t.Errorf("another model answers: %s", out)
	}
}
