package sched_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/sched"
	"github.com/aitbc/aitbc/market"
)

var update = flag.Bool("update", false, "write what happens into the scripts")

// TestScripts plays the scripts of testdata: each line that begins with a word is an event, the lines that begin with a
// tab are what the scheduler said to it. -update writes them.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(raw))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(raw) {
				t.Errorf("it went another way; -update writes it\n%s", got)
			}
		})
	}
}

// player gives names to what a script speaks of.
type player struct {
	*sched.Sched
	t     *testing.T
	names []string // of everything, in the order of first use: a name's id is its place
	jobs  []string
}

func play(t *testing.T, script string) string {
	p := &player{Sched: sched.New(), t: t}
	var out strings.Builder
	for lines := bufio.NewScanner(strings.NewReader(script)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "\t") {
			continue
		}
		fmt.Fprintln(&out, line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			for said := range strings.Lines(p.event(words)) {
				fmt.Fprint(&out, "\t", said)
			}
		}
	}
	return out.String()
}

func (p *player) number(name string) byte {
	i := slices.Index(p.names, name)
	if i < 0 {
		i, p.names = len(p.names), append(p.names, name)
	}
	return byte(i + 1)
}

func (p *player) id(name string) common.Address { return common.Address{p.number(name)} }
func (p *player) hash(name string) common.Hash  { return common.Hash{p.number(name)} }

func (p *player) event(words []string) string {
	options := map[string]string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			options[k] = v
		}
	}
	switch words[0] {
	case "miner":
		if p.PutMiner(p.miner(words[1], options)) {
			return "may have work\n"
		}
		return ""
	case "gone":
		p.RemoveMiner(p.id(words[1]))
		return ""
	case "job":
		p.jobs = append(p.jobs, words[1])
		return p.woken(p.Enqueue(p.job(words[1], options)))
	case "claim":
		j, ok := p.Claim(p.id(words[1]))
		if !ok {
			return "waits\n"
		}
		return "runs " + p.names[j.ID[0]-1] + "\n"
	case "stop":
		p.StopWaiting(p.id(words[1]))
		return ""
	case "lost":
		return p.woken(p.Release(p.hash(words[1]), false))
	case "failed":
		return p.woken(p.Release(p.hash(words[1]), true))
	case "done":
		p.Remove(p.hash(words[1]))
		return ""
	case "overlooked":
		var b strings.Builder
		for _, m := range p.Overlooked() {
			b.WriteString(p.woken(m, true))
		}
		return b.String()
	case "why":
		reasons := p.Explain(p.hash(words[1]))
		var lines []string
		for m, r := range reasons {
			lines = append(lines, p.names[m[0]-1]+": "+string(r)+"\n")
		}
		slices.Sort(lines)
		return strings.Join(lines, "")
	}
	p.t.Fatalf("unknown event %q", words[0])
	return ""
}

func (p *player) woken(m common.Address, ok bool) string {
	if !ok {
		return ""
	}
	return "wakes " + p.names[m[0]-1] + "\n"
}

func (p *player) uint(v string) uint64 {
	if v == "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// miner reads models=m,n shut=n slots=1 rate=10 gpu=nvidia_h100 vram=80000 region=eu reputation=500 level=1 first=200ms speed=90.
func (p *player) miner(name string, o map[string]string) sched.Miner {
	m := sched.Miner{ID: p.id(name), Offers: map[common.Hash]sched.Offer{}, Slots: int(max(1, p.uint(o["slots"]))), Draining: o["draining"] != "", Reputation: uint32(p.uint(o["reputation"]))}
	if o["shut"] != "" {
		m.Unavailable = []common.Hash{p.hash(o["shut"])}
	}
	var first time.Duration
	if o["first"] != "" {
		var err error
		if first, err = time.ParseDuration(o["first"]); err != nil {
			p.t.Fatal(err)
		}
	}
	rate := market.Units(max(1, p.uint(o["rate"])))
	for model := range strings.SplitSeq(o["models"], ",") {
		m.Offers[p.hash(model)] = sched.Offer{
			Class: p.class(o["class"]), Rates: market.Rates{Prompt: rate, Completion: rate}, GPU: strings.ReplaceAll(o["gpu"], "_", " "), VRAM: p.uint(o["vram"]),
			Region: o["region"], Level: uint8(p.uint(o["level"])), FirstToken: first, TokensPerSecond: float64(p.uint(o["speed"])),
		}
	}
	return m
}

func (p *player) class(name string) common.Hash {
	if name == "" {
		return common.Hash{}
	}
	return p.hash(name)
}

// job reads model=m client=a class= miners=x,y gpu= vram= region= reputation= level= route= tokens=100 pays=1000.
func (p *player) job(name string, o map[string]string) sched.Job {
	j := sched.Job{
		ID: p.hash(name), Client: p.id(o["client"]), Route: sched.Route(o["route"]), Bound: market.Usage{CompletionTokens: max(100, p.uint(o["tokens"]))}, MaxPrice: market.Units(1_000_000),
		Terms: sched.Terms{
			Model: p.hash(o["model"]), Class: p.class(o["class"]), GPU: o["gpu"], VRAM: p.uint(o["vram"]), Region: o["region"],
			Reputation: uint32(p.uint(o["reputation"])), Level: uint8(p.uint(o["level"])),
		},
	}
	if o["pays"] != "" {
		j.MaxPrice = market.Units(p.uint(o["pays"]))
	}
	for m := range strings.SplitSeq(o["miners"], ",") {
		if m != "" {
			j.Terms.Miners = append(j.Terms.Miners, p.id(m))
		}
	}
	return j
}
