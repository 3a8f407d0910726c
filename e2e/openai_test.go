package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/e2e/network"
)

// npm's OpenAI client, unmodified, lists models and streams a completion.
func TestOpenAIClientWorksUnmodified(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("node_modules/openai"); err != nil {
		t.Skip("the client is not installed: make test-e2e installs it (npm ci in e2e/)")
	}
	n := network.Start(t, network.Options{})
	cmd := exec.CommandContext(t.Context(), "node", "openai.mjs")
	cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+n.APIURL()+"/v1", "OPENAI_API_KEY="+n.APIKey().Reveal())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	type usage struct {
		Prompt     uint64 `json:"prompt_tokens"`
		Completion uint64 `json:"completion_tokens"`
		Total      uint64 `json:"total_tokens"`
	}
	type refusal struct {
		Status     int
		Type, Code string
		Name       string
	}
	var got struct {
		Models  []string
		Text    string
		Chunks  int
		Usage   usage
		Finish  string
		Receipt common.Hash
		Job     common.Hash
		Whole   struct {
			Text, Finish string
			Usage        usage
		}
		Unknown, Keyless *refusal
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("%s", out)
	if len(got.Models) == 0 || got.Models[0] != model(t, n) {
		t.Errorf("models %v", got.Models)
	}
	if got.Text == "" || got.Chunks < 3 || got.Usage.Completion == 0 || got.Usage.Total != got.Usage.Prompt+got.Usage.Completion {
		t.Errorf("streamed %q in %d chunks, usage %+v", got.Text, got.Chunks, got.Usage)
	}
	// The engine is exact: the same request gives the same answer, streamed or not.
	if got.Whole.Text != got.Text || got.Whole.Finish != got.Finish || got.Whole.Usage != got.Usage {
		t.Errorf("streamed %q (%s, %+v), whole %q (%s, %+v)", got.Text, got.Finish, got.Usage, got.Whole.Text, got.Whole.Finish, got.Whole.Usage)
	}
	if got.Unknown == nil || got.Unknown.Status != 404 || got.Unknown.Code != "model_not_found" || got.Unknown.Name != "NotFoundError" {
		t.Errorf("unknown model: %+v", got.Unknown)
	}
	if got.Keyless == nil || got.Keyless.Status != 401 || got.Keyless.Name != "AuthenticationError" {
		t.Errorf("wrong key: %+v", got.Keyless)
	}
	j := settled(t, n, got.Job)
	if j.ReceiptID == nil || *j.ReceiptID != got.Receipt {
		t.Errorf("the header names receipt %s, the job %v", got.Receipt, j.ReceiptID)
	}
	if j.Usage.CompletionTokens != got.Usage.Completion || j.Usage.PromptTokens != got.Usage.Prompt {
		t.Errorf("the client was told %+v, the receipt says %+v", got.Usage, j.Usage)
	}
}
