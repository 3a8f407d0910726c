package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/bench/claims"
	"github.com/aitbc/aitbc/bench/crowd"
	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/gateway"
	"github.com/aitbc/aitbc/bench/lifecycle"
	"github.com/aitbc/aitbc/bench/role"
	"github.com/aitbc/aitbc/bench/submits"
)

// TestMain plays the roles that benchmarks start from this very program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == role.Word {
		main()
		return
	}
	os.Exit(m.Run())
}

func figures(t *testing.T, s *figure.Section) map[string]float64 {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Figures []struct {
			Name   string
			Median float64
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range got.Figures {
		out[f.Name] = f.Median
	}
	return out
}

const slice = 40 * time.Millisecond

func TestGatewayLosesNoStream(t *testing.T) {
	t.Parallel()
	s, err := gateway.Run(t.Context(), gateway.Config{Dir: t.TempDir(), Rounds: 1, Slice: slice, Clients: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	got := figures(t, s)
	for _, name := range []string{"whole, 2 clients: requests, gateway", "stream, 2 clients: requests, gateway", "stream, 2 clients: added CPU, gateway"} {
		if got[name] <= 0 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if n, ok := got["stream, 2 clients: truncated"]; !ok || n != 0 {
		t.Errorf("%v streams were cut", n)
	}
}

func TestStreamsAreCounted(t *testing.T) {
	t.Parallel()
	s, err := gateway.Streams(t.Context(), gateway.StreamsConfig{Dir: t.TempDir(), Streams: 40, Clients: 4})
	if err != nil {
		t.Fatal(err)
	}
	got := figures(t, s)
	if n, ok := got["cut, gateway"]; !ok || n != 0 || got["streams, stock proxy"] <= 0 {
		t.Errorf("%v", got)
	}
}

func TestSubmitsAreCounted(t *testing.T) {
	t.Parallel()
	s, err := submits.Run(t.Context(), submits.Config{Dir: t.TempDir(), Rounds: 1, Slice: slice, Clients: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	got := figures(t, s)
	for _, name := range []string{"2 clients: durable", "2 clients: volatile", "fdatasync of 4 KiB, one after another"} {
		if got[name] <= 0 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
}

func TestLivesAreCounted(t *testing.T) {
	t.Parallel()
	s, err := lifecycle.Run(t.Context(), lifecycle.Config{Dir: t.TempDir(), Rounds: 1, Slice: slice, Clients: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	if got := figures(t, s); got["2 clients"] <= 0 {
		t.Error(got)
	}
}

func TestClaimsAreGiven(t *testing.T) {
	t.Parallel()
	s, err := claims.Run(t.Context(), claims.Config{Dir: t.TempDir(), Rounds: 1, Queued: []int{2, 20}})
	if err != nil {
		t.Fatal(err)
	}
	if got := figures(t, s); got["claim with 20 waiting"] <= 0 {
		t.Error(got)
	}
}

func TestJobsReachTheCrowd(t *testing.T) {
	t.Parallel()
	s, err := crowd.Run(t.Context(), crowd.Config{Dir: t.TempDir(), Rounds: 1, Slice: slice, Miners: 20, Beat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	got := figures(t, s)
	for _, name := range []string{"memory for each miner", "scheduling, p50", "jobs"} {
		if got[name] <= 0 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
}

func TestUnknownWordsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-only", "gateway,nothing"}, {"-rounds", "0"}, {"word"}, {"-unknown"}, {role.Word, "nobody"}} {
		var out, progress strings.Builder
		if err := run(t.Context(), args, strings.NewReader(""), &out, &progress); err == nil || out.Len() != 0 {
			t.Errorf("%q: %v, printed %q", args, err, out.String())
		}
	}
}
