package e2e_test

import (
	"os"
	"os/exec"
	"sync"
	"testing"
)

// Variables by which the gate says that there must be a Chromium, or that there is none that starts.
const (
	requireChromium = "AITBC_REQUIRE_CHROMIUM"
	noChromium      = "AITBC_NO_CHROMIUM"
)

// oneBrowser is held by the test that has a browser: two are more than two cores can feed.
var oneBrowser sync.Mutex

// chromium is the browser that pages are tested in, for this test alone. Where there is none the test is skipped, or
// fails if there must be one.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil && os.Getenv(noChromium) == "" {
			oneBrowser.Lock()
			t.Cleanup(oneBrowser.Unlock)
			return path
		}
	}
	if os.Getenv(requireChromium) != "" {
		t.Fatalf("there is no Chromium, and %s is set", requireChromium)
	}
	t.Skip("there is no Chromium here: pages are not tested in a browser (Debian's package chromium, or its path in CHROMIUM)")
	return ""
}
