package e2e_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// Each service is killed as a crash would kill it. It comes back by itself and
// the network goes on.
func TestKilledServicesComeBack(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	m := model(t, n)
	before := n.Audit()
	for _, service := range []string{"marketplace", "explorer", "wallet", "miner", "coordinator", "node"} {
		n.Kill(service)
		n.Wait("the services", func() bool { _, err := n.Run("status"); return err == nil })
		n.Wait("a miner", func() bool {
			out, err := n.Run("models")
			return err == nil && strings.Contains(string(out), m)
		})
		var got submitted
		n.JSON(&got, "submit", "Say hello.", "--model", m, "--max-tokens", "8", "--ttl", "60s")
		if got.State != market.Completed {
			t.Fatalf("after the death of the %s: %+v", service, got)
		}
		settled(t, n, got.JobID)
	}
	n.Conserved(before, n.Audit())
}

// One home has one network, however often it is asked for.
func TestSecondUpIsRefusedAndDownStops(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	_, err := n.Run("up", "--detach")
	if err == nil || !strings.Contains(err.Error(), "runs in") || !strings.Contains(err.Error(), "aitbc: hint: aitbc down") {
		t.Fatalf("a second up: %v", err)
	}
	n.Down()
	if _, err := n.Run("status"); err == nil || !strings.Contains(err.Error(), "6 of 6 services do not answer") {
		t.Fatalf("status after the end: %v", err)
	}

	// In the background, on the same data.
	out, err := n.Run("up", "--detach", "--json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := n.Run("down"); err != nil {
			t.Error(err)
		}
	})
	var up struct {
		ChainID string   `json:"chain_id"`
		Models  []string `json:"models"`
	}
	if err := json.Unmarshal(out, &up); err != nil || up.ChainID != strconv.FormatUint(n.ChainID, 10) || len(up.Models) == 0 {
		t.Fatalf("up --detach --json: %v in %s", err, out)
	}
	if _, err := n.Run("status"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Run("down"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(n.PIDFile()); err == nil {
		t.Error("the pid file is still there")
	}
	for _, url := range []string{n.APIURL(), n.MinerURL(), n.RPCURL()} {
		if _, err := status(url + "/health"); err == nil {
			t.Errorf("%s still answers", url)
		}
	}
}

// status asks a URL as a browser would, without a key.
func status(url string) (int, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// What scripts rely on: words, shapes and exit statuses as docs/CLI.md has them.
func TestWordsForScripts(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	m := model(t, n)

	_, err := n.Run("submit", "hi", "--model", "llama3.2")
	if err == nil || !strings.Contains(err.Error(), "llama3.2") || !strings.Contains(err.Error(), "aitbc: hint: on offer: "+m) {
		t.Errorf("a model that nobody offers: %v", err)
	}

	var balance map[string]string
	n.JSON(&balance, "balance")
	if len(balance) != 2 || balance["address"] == "" {
		t.Errorf("balance: %v", balance)
	}
	if a, err := market.ParseAmount(balance["balance"]); err != nil || a.IsZero() {
		t.Errorf("balance: %v, %v", balance, err)
	}

	var env map[string]string
	n.JSON(&env, "env")
	for _, name := range []string{"AITBC_API_URL", "AITBC_API_KEY", "AITBC_RPC_URL", "AITBC_ETH_RPC_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY"} {
		if env[name] == "" {
			t.Errorf("env: %s is missing in %v", name, env)
		}
	}

	// A prompt from standard input; the id alone on standard output.
	out, err := n.RunWithInput("Say hello.", "submit", "-", "--model", m, "--max-tokens", "4")
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(string(out))
	var job map[string]any
	n.Wait("the job", func() bool {
		n.JSON(&job, "status", id)
		return job["payment"] == "settled"
	})
	if job["job_id"] != id || job["state"] != "completed" {
		t.Errorf("status: %v", job)
	}
	if l, ok := job["timeline"].(map[string]any); !ok || l["tokens_per_second"] == nil {
		t.Errorf("status has no timeline: %v", job)
	}
	var top struct {
		Network struct {
			QueuedJobs *int `json:"queued_jobs"`
		}
		Miners []struct {
			Offers []struct{ Measured *api.Measured }
		}
		Jobs []api.Job
	}
	n.JSON(&top, "top")
	if top.Network.QueuedJobs == nil || len(top.Miners) != 1 || top.Miners[0].Offers[0].Measured == nil || len(top.Jobs) == 0 || top.Jobs[0].JobID.Hex() != id {
		t.Errorf("top: %+v", top)
	}
	if out, err := n.Run("top"); err != nil || !strings.Contains(string(out), "YOUR JOBS") {
		t.Errorf("top: %s, %v", out, err)
	}

	var jobs []api.Job
	n.JSON(&jobs, "jobs")
	if !slices.ContainsFunc(jobs, func(j api.Job) bool { return j.JobID.Hex() == id }) {
		t.Errorf("jobs: %v", jobs)
	}
	var why api.Explanation
	n.JSON(&why, "explain", id)
	if why.State != market.Completed || why.JobID.Hex() != id {
		t.Errorf("explain: %+v", why)
	}

	// The same key, the same job.
	var first, second submitted
	n.JSON(&first, "submit", "Say hello.", "--model", m, "--max-tokens", "4", "--idempotency-key", "k-1")
	n.JSON(&second, "submit", "Say hello.", "--model", m, "--max-tokens", "4", "--idempotency-key", "k-1")
	if first.JobID != second.JobID {
		t.Errorf("one key, two jobs: %s and %s", first.JobID, second.JobID)
	}

	// A price that the job would exceed is refused before anything runs.
	if _, err := n.Run("submit", "hi", "--model", m, "--max-price", "0.000000000000000001"); err == nil {
		t.Error("a job ran for less than its price")
	}

	// The specification's troubleshooting and its script work as written.
	for _, url := range []string{n.APIURL() + "/v1/miners", n.APIURL() + "/openapi.json", n.MinerURL() + "/health", n.RPCURL() + "/net_info"} {
		if code, err := status(url); err != nil || code != http.StatusOK {
			t.Errorf("%s: %d, %v", url, code, err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "aitbc-cli.sh"), "status", id, "--home", string(n.Home))
	cmd.Env = append(os.Environ(), "PATH="+network.Binaries(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "settled") {
		t.Errorf("aitbc-cli.sh status: %v\n%s", err, out)
	}
}

// A session is opened, looked at and closed by hand.
func TestSessionByHand(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	before := n.Audit()
	m := model(t, n)
	var opened struct {
		Session uint64        `json:"session"`
		Deposit market.Amount `json:"deposit"`
		KeyFile string        `json:"key_file"`
	}
	n.JSON(&opened, "session", "open", "--deposit", "5", "--for", "3h")
	if opened.Session != n.Session+1 || opened.Deposit != market.Coins(5) || opened.KeyFile != n.ClientKeyFile() {
		t.Fatalf("session open: %+v, after session %d", opened, n.Session)
	}
	var account api.Account
	n.JSON(&account, "account")
	if account.Session != opened.Session || account.Available != market.Coins(5) || account.Client != n.Network.Client {
		t.Errorf("account: %+v", account)
	}
	var got submitted
	n.JSON(&got, "submit", "Say hello.", "--model", m, "--max-tokens", "4")
	settled(t, n, got.JobID)

	id := strconv.FormatUint(opened.Session, 10)
	var onChain struct {
		State   string        `json:"state"`
		Debited market.Amount `json:"debited"`
	}
	n.JSON(&onChain, "session", "show", id)
	if onChain.State != "open" || onChain.Debited != got.Price {
		t.Errorf("session show: %+v, the job cost %s", onChain, got.Price)
	}
	n.JSON(&onChain, "session", "close")
	if onChain.State != "closing" {
		t.Errorf("session close: %+v", onChain)
	}
	n.Wait("the coordinator to refuse", func() bool {
		_, err := n.Run("submit", "hi", "--model", m)
		return err != nil
	})
	if _, err := n.Run("session", "close", id); err == nil {
		t.Error("a session was closed twice")
	}
	if _, err := n.Run("session", "open", "--deposit", "0.0000001"); err == nil || !strings.Contains(err.Error(), "below the least") {
		t.Errorf("a deposit that is too small: %v", err)
	}
	if _, err := n.Run("session", "open", "--deposit", "9000000"); err == nil {
		t.Error("more was locked than there is")
	}
	n.Conserved(before, n.Audit())
}

// The demo of the README, which must leave nothing behind, even when its output
// is cut off.
func TestDemo(t *testing.T) {
	t.Parallel()
	n := network.Idle(t, network.Options{})
	raw, err := n.Run("demo", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		JobID    string        `json:"job_id"`
		Block    uint64        `json:"block"`
		Price    market.Amount `json:"price"`
		Verified bool          `json:"verified"`
	}
	if err := json.Unmarshal(raw, &out); err != nil || !out.Verified || out.Block == 0 || out.Price.IsZero() || out.JobID == "" {
		t.Fatalf("demo: %v in %s", err, raw)
	}
	if _, err := n.Run("status"); err == nil {
		t.Error("the demo's network still runs")
	}

	// Whoever cuts off its output, as head does, must not leave a network behind.
	n = network.Idle(t, network.Options{})
	cmd := exec.CommandContext(t.Context(), filepath.Join(network.Binaries(t), "aitbc"), "demo", "--home", string(n.Home))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.Contains(lines.Text(), "Everything answers") {
		continue
	}
	if err := stdout.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the demo did not notice")
	}
	n.Wait("its network to end", func() bool {
		_, err := n.Run("status")
		return err != nil && strings.Contains(err.Error(), "6 of 6 services do not answer")
	})
}
