package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/internal/home"
)

var metric = regexp.MustCompile(`\b(aitbc_(?:node|coordinator|miner)|cometbft|process)_[a-z0-9_]+`)

// figures returns what the services of a network measure, with what a histogram adds.
func figures(t *testing.T, urls ...string) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	for _, url := range urls {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || resp.Body.Close() != nil {
			t.Fatalf("%s: %d %v", url, resp.StatusCode, err)
		}
		for line := range strings.Lines(string(raw)) {
			if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" {
				there[f[2]] = true
				if f[3] == "histogram" {
					there[f[2]+"_bucket"], there[f[2]+"_sum"], there[f[2]+"_count"] = true, true, true
				}
			}
		}
	}
	return there
}

// Every figure that alerts and dashboard ask for is one that the running services have.
func TestAlertsAndDashboardAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	there := figures(t, n.APIURL(), n.MinerURL(), fmt.Sprintf("http://127.0.0.1:%d", home.PortMetrics+n.PortOffset))
	root, err := network.Repository()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"deploy/prometheus/rules.yml", "deploy/grafana/aitbc.json"} {
		raw, err := os.ReadFile(root + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		names := metric.FindAllString(string(raw), -1)
		slices.Sort(names)
		if names = slices.Compact(names); len(names) < 15 {
			t.Errorf("%s asks for %d figures only", file, len(names))
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("%s asks for %s, which no service has", file, name)
			}
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	raw, err := os.ReadFile(root + "/deploy/grafana/aitbc.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			if strings.Count(q.Expr, "(") != strings.Count(q.Expr, ")") || !metric.MatchString(q.Expr) {
				t.Errorf("%s asks %q", p.Title, q.Expr)
			}
		}
	}
}
