package e2e_test

import (
	"bufio"
	"bytes"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/wallet/hd"
)

// A dump of all memory of the daemon holds its secrets while a wallet is
// unlocked, and none of them once it is locked. Nobody but root can make one.
func TestAMemoryDumpAfterLockShowsNoKey(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can read the daemon's memory")
	}
	erases(t)
	n := network.Start(t, network.Options{})
	c := walletClient(t, n)
	post := func(path string, in, out any, header http.Header) error {
		_, err := c.Do(t.Context(), httpx.Request{Method: http.MethodPost, Path: path, JSON: in, Header: header, Timeout: 2 * time.Minute}, out)
		return err
	}
	const phrase = "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic" // of entropy that stands nowhere by chance
	if err := post("/v1/wallet/import", walletapi.ImportRequest{Name: "main", Passphrase: "correct horse", Mnemonic: phrase}, nil, nil); err != nil {
		t.Fatal(err)
	}
	// The phrase came by HTTP, whose buffers nobody wipes: this is about a daemon that was unlocked.
	n.Kill("wallet")
	var unlocked walletapi.UnlockResponse
	n.Wait("the wallet to be unlocked", func() bool {
		return post("/v1/wallet/unlock", walletapi.UnlockRequest{Passphrase: "correct horse"}, &unlocked, nil) == nil
	})
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", n.PID("wallet")))
	if err != nil || !regexp.MustCompile(`Max core file size +0 +0`).Match(limits) {
		t.Errorf("it may leave a core: %s, %v", limits, err)
	}
	header := http.Header{walletapi.CapabilityHeader: {unlocked.Capability}}
	for i := range 20 {
		text := "message " + strconv.Itoa(i)
		if err := post("/v1/wallet/sign", walletapi.SignRequest{Message: &text}, nil, header); err != nil {
			t.Fatal(err)
		}
	}
	secrets := secretsOf(t, phrase)
	if found := searchMemory(t, n.PID("wallet"), secrets); found["entropy"] == 0 {
		t.Fatalf("the dump of an unlocked daemon lacks the entropy, so the search cannot be trusted: %v", found)
	}
	if err := post("/v1/wallet/lock", walletapi.LockRequest{}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if found := searchMemory(t, n.PID("wallet"), secrets); len(found) > 0 {
		t.Errorf("after lock the memory still holds: %v", found)
	}
}

// erases sees to it that aitbc was built as the Makefile builds it.
func erases(t *testing.T) {
	t.Helper()
	info, err := buildinfo.ReadFile(filepath.Join(network.Binaries(t), "aitbc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range info.Settings {
		if s.Key == "GOEXPERIMENT" && strings.Contains(s.Value, "runtimesecret") {
			return
		}
	}
	t.Fatal("aitbc was built without GOEXPERIMENT=runtimesecret: make build sets it")
}

// secretsOf returns what must not be found, in the forms that it takes.
func secretsOf(t *testing.T, phrase string) map[string][]byte {
	t.Helper()
	entropy, err := hd.Entropy([]byte(phrase))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hd.Seed(entropy, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := hd.Derive(seed, hd.Account(0))
	if err != nil {
		t.Fatal(err)
	}
	backwards := make([]byte, len(key)) // as numbers in words of the processor
	for i, b := range key {
		backwards[len(key)-1-i] = b
	}
	return map[string][]byte{
		"phrase": []byte(phrase), "entropy": entropy, "seed": seed[:32], "key": key, "key backwards": backwards,
		"key in hex": []byte(hex.EncodeToString(key)), "entropy in hex": []byte(hex.EncodeToString(entropy)),
	}
}

// searchMemory counts where each secret stands in all readable memory of a process.
func searchMemory(t *testing.T, pid int, secrets map[string][]byte) map[string]int {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Skipf("the memory cannot be read here: %v", err)
	}
	defer maps.Close() //nolint:errcheck // only read
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Skipf("the memory cannot be read here: %v", err)
	}
	defer mem.Close() //nolint:errcheck // only read
	found := map[string]int{}
	const most = 64
	for s := bufio.NewScanner(maps); s.Scan(); {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(s.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "r") || strings.Contains(s.Text(), "[v") {
			continue
		}
		var tail []byte
		buf := make([]byte, 1<<20)
		for at := from; at < to; {
			want := min(uint64(len(buf)), to-at)
			k, err := mem.ReadAt(buf[:want], int64(at))
			window := append(tail, buf[:k]...)
			for name, secret := range secrets {
				found[name] += bytes.Count(window, secret) - bytes.Count(tail, secret)
				if found[name] == 0 {
					delete(found, name)
				}
			}
			tail = bytes.Clone(window[max(0, len(window)-most+1):])
			at += uint64(k)
			if k == 0 || err != nil && err != io.EOF {
				break
			}
		}
	}
	return found
}
