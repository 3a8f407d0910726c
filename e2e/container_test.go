//go:build linux

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/internal/dockertest"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/artifact"
)

// ran is what aitbc run --json prints.
type ran struct {
	JobID    common.Hash     `json:"job_id"`
	State    market.JobState `json:"state"`
	Image    string          `json:"image"`
	Stdout   string          `json:"stdout"`
	Reason   string          `json:"reason"`
	ExitCode int             `json:"exit_code"`
	Millis   uint64          `json:"millis"`
	Files    []artifact.File `json:"files"`
	Price    market.Amount   `json:"price"`
}

// offerImage makes the network's miner sell the guest of a real container engine.
func offerImage(t *testing.T, n *network.Network, e *dockertest.Engine) string {
	t.Helper()
	image := e.Guest(t)
	offer(t, n, "guest", fmt.Sprintf("kind = \"container\"\nname = \"guest\"\nimage = %q\nsocket = %q\nsecond_rate = \"0.001\"\nmemory_mb = 64\ndisk_mb = 16\n", image, e.Socket))
	return image
}

// A program of the client's runs in a container of a real engine, is paid by the
// second, and its receipt commits to what it printed and left.
func TestProgramInAContainerIsPaidAndProved(t *testing.T) {
	t.Parallel()
	e := dockertest.Start(t)
	n := network.Start(t, network.Options{})
	image := offerImage(t, n, e)
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for name, text := range map[string]string{"a.txt": "abc", "deep/b.txt": "def"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(in, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, self := range []bool{false, true} { // the coordinator reads it, or only the miner
		if self {
			n.JSON(&json.RawMessage{}, "session", "open", "--self", "--deposit", "5")
		}
		var got ran
		n.JSON(&got, "run", "guest", "--file", in, "--dir", out, "--max-seconds", "30", "--", "/guest", "copy")
		if got.State != market.Completed || got.Image != image || got.ExitCode != 0 || len(got.Files) != 2 {
			t.Fatalf("run: %+v", got)
		}
		for name, want := range map[string]string{"a.txt": "ABC", "deep/b.txt": "DEF"} {
			b, err := os.ReadFile(filepath.Join(out, name))
			if err != nil || string(b) != want {
				t.Errorf("%s: %q, %v", name, b, err)
			}
		}
		rate, err := market.ParseCoins("0.001")
		if err != nil {
			t.Fatal(err)
		}
		if price, err := market.Price(market.Rates{Second: rate}, market.Usage{ComputeMillis: got.Millis}); err != nil || got.Millis == 0 || got.Price != price {
			t.Errorf("%d ms cost %s, want %s", got.Millis, got.Price, price)
		}
		var job api.Job
		if n.JSON(&job, "status", got.JobID.Hex()); !job.Container || job.Sealed != self || job.Usage.ComputeMillis != got.Millis {
			t.Errorf("job: %+v", job)
		}
		settled(t, n, got.JobID)
		verified(t, n, got.JobID)
		bundles, err := n.Client().Receipts(t.Context(), got.JobID)
		if err != nil || len(bundles) != 1 {
			t.Fatal(err)
		}
		var b receipt.Bundle
		if err := json.Unmarshal(bundles[0], &b); err != nil {
			t.Fatal(err)
		}
		if "sha256:"+strings.TrimPrefix(b.Receipt.Model.Hex(), "0x") != image {
			t.Errorf("the receipt is for %s, the image is %s", b.Receipt.Model, image)
		}
	}
	// What the program says is its client's, and a limit is no failure of the miner's.
	if _, err := n.Run("run", "guest", "--", "/guest", "exit", "3"); err == nil || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("exit: %v", err)
	}
	if _, err := n.Run("run", "guest", "--max-seconds", "1", "--", "/guest", "hang"); err == nil || !strings.Contains(err.Error(), "its time was over") {
		t.Errorf("hang: %v", err)
	}
	// Models do not run programs, and images do not answer.
	if _, err := n.Run("run", model(t, n), "--", "/guest"); err == nil || !strings.Contains(err.Error(), "kind") && !strings.Contains(err.Error(), "reasons") {
		t.Errorf("a model as image: %v", err)
	}
	if _, err := n.Run("submit", "hello", "--model", "guest"); err == nil {
		t.Error("an image answered a prompt")
	}
	n.Audit()
}

// A miner that is killed leaves a container behind: its next life removes it, and
// the job begins anew and can be called off.
func TestContainersDoNotOutliveTheirMiner(t *testing.T) {
	t.Parallel()
	e := dockertest.Start(t)
	n := network.Start(t, network.Options{})
	offerImage(t, n, e)
	var job api.SubmitResponse
	n.JSON(&job, "run", "guest", "--no-wait", "--", "/guest", "hang")
	programs := func() (ids []string) {
		var list []struct {
			ID    string `json:"Id"`
			Image string
		}
		e.Get(t, "/containers/json", &list)
		for _, c := range list {
			if !strings.HasPrefix(c.Image, "aitbc/keeper") {
				ids = append(ids, c.ID)
			}
		}
		return ids
	}
	n.Wait("the program", func() bool { return len(programs()) == 1 })
	before := programs()[0]
	n.Kill("miner")
	n.Wait("the program in another container", func() bool {
		now := programs()
		return len(now) == 1 && now[0] != before
	})
	n.Wait("the program's first words", func() bool {
		var j api.Job
		n.JSON(&j, "status", job.JobID.Hex())
		return j.State == market.Running
	})
	if _, err := n.Run("cancel", job.JobID.Hex()); err != nil {
		t.Fatal(err)
	}
	n.Wait("the program's end", func() bool { return len(programs()) == 0 })
	n.Wait("the job's end", func() bool {
		var j api.Job
		n.JSON(&j, "status", job.JobID.Hex())
		return j.State == market.Canceled
	})
	n.Audit()
}
