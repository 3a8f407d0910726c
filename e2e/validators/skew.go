package validators

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/network"
)

// skewVariable tells a program that skewed built by how much its clock is wrong.
const skewVariable = "TEST_CLOCK_SKEW_SECONDS"

// skewed is aitbcd whose clock can be wrong. A Go program asks the kernel for
// the time past the C library, where faketime would stand, so the program is
// built with another time.Now.
var skewed = sync.OnceValues(func() (string, error) {
	root, err := network.Repository()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "aitbc-skewed-")
	if err != nil {
		return "", err
	}
	original := filepath.Join(runtime.GOROOT(), "src", "time", "time.go") //nolint:staticcheck // the toolchain that runs the test builds the program
	source, err := os.ReadFile(original)                                  //nolint:gosec // of the toolchain
	if err != nil {
		return "", err
	}
	const now = "sec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	text := strings.Replace(string(source), now, strings.Replace(now, "\n", "\n\tsec += testSkew\n", 1), 1)
	if text == string(source) {
		return "", fmt.Errorf("%s is not as expected", original)
	}
	changed := filepath.Join(dir, "time.go")
	skew := filepath.Join(dir, "skew.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		original: changed, filepath.Join(filepath.Dir(original), "test_skew.go"): skew,
	}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	for path, content := range map[string]string{changed: text, list: string(overlay), skew: skewSource} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	program := filepath.Join(dir, "aitbcd")
	cmd := exec.Command("go", "build", "-overlay", list, "-o", program, "./cmd/aitbcd") //nolint:gosec // our own sources
	cmd.Dir, cmd.Stderr = filepath.Join(root, "chain"), os.Stderr
	return program, cmd.Run()
})

const skewSource = `package time

import "syscall"

var testSkew = func() (n int64) {
	text, _ := syscall.Getenv("` + skewVariable + `")
	sign := int64(1)
	for i, c := range []byte(text) {
		if i == 0 && c == '-' {
			sign = -1
			continue
		}
		n = 10*n + int64(c-'0')
	}
	return sign * n
}()
`

// BuildSkewed makes the program whose clock can be wrong, once for all tests.
// It takes minutes where it has not been built before.
func BuildSkewed(t testing.TB) {
	t.Helper()
	if _, err := skewed(); err != nil {
		t.Fatalf("build a node whose clock can be wrong: %v", err)
	}
}

// Skew makes the clock of a node wrong from its next start on.
func (c *Cluster) Skew(i int, by time.Duration) {
	c.t.Helper()
	BuildSkewed(c.t)
	program, _ := skewed() // built
	c.Nodes[i].program, c.Nodes[i].env = program, []string{fmt.Sprintf("%s=%d", skewVariable, int64(by/time.Second))}
}

// BlockTime is the time that the newest block has.
func (c *Cluster) BlockTime() time.Time {
	c.t.Helper()
	n := c.asked()
	h, err := n.height(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	header, err := n.header(c.t.Context(), h)
	if err != nil {
		c.t.Fatal(err)
	}
	return time.Unix(int64(header.Time), 0) //nolint:gosec // far below 2^63
}
