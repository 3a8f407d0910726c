package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// plant makes a word that occurs nowhere else.
func plant(t *testing.T) string {
	t.Helper()
	b := make([]byte, 12)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return "planted" + hex.EncodeToString(b)
}

// remains looks for words in all that the coordinator has: its files, all logs,
// and its memory as it runs. It returns where each was found.
func remains(t *testing.T, n *network.Network, words ...string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, dir := range []string{n.Home.Coordinator(), n.Home.Path("logs")} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			for _, w := range words {
				if bytes.Contains(raw, []byte(w)) {
					found[w] = append(found[w], path)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range inMemory(t, n.PID("coordinator"), words) {
		found[w] = append(found[w], "memory")
	}
	return found
}

// inMemory returns which words stand in what a process can write to.
func inMemory(t *testing.T, pid int, words []string) []string {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mem.Close() }()
	there, read := map[string]bool{}, int64(0)
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		var from, to int64
		var access string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &access); err != nil || !strings.HasPrefix(access, "rw") {
			continue
		}
		const chunk, overlap = 1 << 20, 256
		buffer := make([]byte, chunk+overlap)
		for at := from; at < to; at += chunk {
			k, err := mem.ReadAt(buffer[:min(int64(len(buffer)), to-at)], at)
			if k == 0 && err != nil && err != io.EOF {
				break // not there any more, or of a kind that cannot be read
			}
			read += int64(k)
			for _, w := range words {
				there[w] = there[w] || bytes.Contains(buffer[:k], []byte(w))
			}
		}
	}
	if read < 8<<20 {
		t.Fatalf("only %d bytes of the coordinator's memory could be read", read)
	}
	var out []string
	for w, is := range there {
		if is {
			out = append(out, w)
		}
	}
	return out
}

// Neither prompt nor answer of a sealed job is to be found at the coordinator: not
// in its database, its logs or its memory. A job that it may read shows that this
// looks where such things are.
func TestSealedJobLeavesNothingAtTheCoordinator(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	n.JSON(&json.RawMessage{}, "session", "open", "--self", "--deposit", "5")
	name := model(t, n)
	var secret string
	var got submitted
	for tries := 1; len(got.Output) < 16; tries++ { // a shorter answer could be anywhere by chance
		secret = plant(t)
		n.JSON(&got, "submit", "Tell me about "+secret, "--model", name, "--max-tokens", "32", "--temperature", "0")
		if got.State != market.Completed || got.Usage.CompletionTokens == 0 || tries == 20 {
			t.Fatalf("submit: %+v", got)
		}
	}
	var job api.Job
	if n.JSON(&job, "status", got.JobID.Hex()); !job.Sealed {
		t.Fatalf("the job is not sealed: %+v", job)
	}
	answer := got.Output[:min(len(got.Output), 40)]
	if found := remains(t, n, secret, answer); len(found) > 0 {
		t.Fatalf("the coordinator has what was sealed: %v", found)
	}
	settled(t, n, got.JobID)
	verified(t, n, got.JobID)

	// An answer that nobody waited for is read later, once.
	var later api.SubmitResponse
	n.JSON(&later, "submit", "Tell me about "+secret, "--model", name, "--max-tokens", "32", "--temperature", "0", "--no-wait")
	var again submitted
	if n.JSON(&again, "result", later.JobID.Hex()); again.Output != got.Output {
		t.Fatalf("read later: %+v, want %q", again, got.Output)
	}
	if _, err := n.Run("result", later.JobID.Hex()); err == nil || !strings.Contains(err.Error(), "once") {
		t.Fatalf("read twice: %v", err)
	}
	if found := remains(t, n, secret, answer); len(found) > 0 {
		t.Fatalf("the coordinator has what was sealed: %v", found)
	}

	open := plant(t)
	n.JSON(&got, "submit", "Tell me about "+open, "--model", name, "--max-tokens", "8", "--unsealed")
	if found := remains(t, n, open); len(found[open]) < 2 {
		t.Fatalf("what the coordinator may read was found in %v only: this test sees nothing", found)
	}
	n.Audit()
}
