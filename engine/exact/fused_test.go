package exact_test

import (
	"os/exec"
	"regexp"
	"testing"
)

// On arm64, and on ppc64le and s390x, the compiler may fuse a product with an
// addition, which rounds once instead of twice. Every product must forbid it.
func TestNoProductIsFusedWithAnAddition(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another CPU")
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-S", "./...", "../internal/...")
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	assembly, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("compile for arm64: %v\n%s", err, assembly)
	}
	if !regexp.MustCompile(`\tFMUL[SD]\t`).Match(assembly) {
		t.Fatal("the assembly shows no products: it is not what this test looks for")
	}
	for _, line := range regexp.MustCompile(`.*\tFN?M(ADD|SUB)[SD]\t.*`).FindAllString(string(assembly), -1) {
		t.Errorf("fused: %s", line)
	}
}
