// Package gateway measures what the coordinator adds to a chat completion, in
// time and processor time, against the least that a paid job can cost: two raw
// proxy hops, one synced write, and the receipt's signatures.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/bench/rig"
	"github.com/aitbc/aitbc/bench/role"
)

// Names of the roles that [Run] needs.
const (
	RoleModel       = "model"
	RoleHop         = "hop"
	RoleCoordinator = "coordinator"
	RoleMiner       = "miner"
)

// Config says how long to measure.
type Config struct {
	Dir     string // on the disk that is measured
	Rounds  int
	Slice   time.Duration // of one way in one round
	Clients []int         // at a time
	Portkey string        // URL of a running Portkey gateway to compare with, "" for none
}

// minerSlots is how many jobs the miner runs at a time: more than any Clients.
const minerSlots = 64

// stage is a way to the answer and the processes that it takes.
type stage struct {
	target
	processes []*role.Process
	wholeOnly bool // it cannot stream
}

func (s stage) cpu() (sum time.Duration, err error) {
	for _, p := range s.processes {
		used, err := p.CPU()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// Run measures all ways in turn, round after round.
func Run(ctx context.Context, cfg Config) (s *figure.Section, err error) {
	var started []*role.Process
	defer func() {
		for _, p := range slices.Backward(started) {
			err = errors.Join(err, p.Stop())
		}
	}()
	stages, err := build(ctx, cfg.Dir, cfg.Portkey, &started)
	if err != nil {
		return nil, err
	}
	s = figure.New("Gateway: POST /v1/chat/completions",
		"Added: beyond asking the model server directly. Baseline: two buffered reverse proxies; the first also makes and checks the signatures of a job and syncs one block. "+
			"CPU: of all servers on the way. An answer has 16 tokens and comes at once.")
	for _, st := range stages { // connections, caches, heap
		for _, stream := range []bool{false, true} {
			if st.wholeOnly && stream {
				continue
			}
			if _, err := drive(ctx, st.target, 2, stream, cfg.Slice/2); err != nil {
				return nil, err
			}
		}
	}
	for round := range cfg.Rounds {
		for _, clients := range cfg.Clients {
			for _, stream := range []bool{false, true} {
				if err := measure(ctx, s, rotate(stages, round), clients, stream, cfg.Slice); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, clients := range cfg.Clients {
		for _, stream := range []bool{false, true} {
			where := label(clients, stream)
			s.AtMost(where+": added p50, gateway / baseline", 1.25)
			s.AtMost(where+": added CPU, gateway / baseline", 1.5)
			s.AtMost(where+": truncated", 0)
			s.AtMost(where+": added p50, gateway / "+namePortkey, 0.35)
		}
	}
	return s, nil
}

func rotate(all []stage, by int) []stage {
	by %= len(all)
	return append(append([]stage{}, all[by:]...), all[:by]...)
}

func label(clients int, stream bool) string {
	kind := "whole"
	if stream {
		kind = "stream"
	}
	return fmt.Sprintf("%s, %d clients", kind, clients)
}

type result struct{ p50, p99, cpu time.Duration }

// measure has each way carry one slice of load and compares them.
func measure(ctx context.Context, s *figure.Section, stages []stage, clients int, stream bool, slice time.Duration) error {
	got := map[string]result{}
	truncated := 0
	where := label(clients, stream)
	for _, st := range stages {
		if st.wholeOnly && stream {
			continue
		}
		before, err := st.cpu()
		if err != nil {
			return err
		}
		l, err := drive(ctx, st.target, clients, stream, slice)
		if err != nil {
			return err
		}
		after, err := st.cpu()
		if err != nil {
			return err
		}
		if st.name == nameGateway {
			truncated += l.truncated
		}
		n := max(1, len(l.took))
		got[st.name] = result{figure.Quantile(l.took, 0.5), figure.Quantile(l.took, 0.99), (after - before) / time.Duration(n)}
		s.Sample(where+": requests, "+st.name, "1/s", float64(n)/slice.Seconds())
	}
	direct := got[nameDirect]
	s.Sample(where+": p50, direct", "µs", figure.Micros(direct.p50))
	added := func(name string) result {
		x := got[name]
		x.p50, x.p99, x.cpu = x.p50-direct.p50, x.p99-direct.p99, x.cpu-direct.cpu
		s.Sample(where+": added p50, "+name, "µs", figure.Micros(x.p50))
		s.Sample(where+": added p99, "+name, "µs", figure.Micros(x.p99))
		s.Sample(where+": added CPU, "+name, "µs", figure.Micros(x.cpu))
		return x
	}
	added(nameHops)
	base, gate := added(nameBaseline), added(nameGateway)
	s.Sample(where+": added p50, gateway / baseline", "×", float64(gate.p50)/float64(base.p50))
	s.Sample(where+": added p99, gateway / baseline", "×", float64(gate.p99)/float64(base.p99))
	s.Sample(where+": added CPU, gateway / baseline", "×", float64(gate.cpu)/float64(base.cpu))
	s.Sample(where+": truncated", "", float64(truncated))
	if _, ok := got[namePortkey]; ok { // its processor time is not ours to ask for
		p50 := got[namePortkey].p50 - direct.p50
		s.Sample(where+": added p50, "+namePortkey, "µs", figure.Micros(p50))
		s.Sample(where+": added p50, gateway / "+namePortkey, "×", float64(gate.p50)/float64(p50))
	}
	return nil
}

// Ways to the answer.
const (
	nameDirect   = "direct"
	nameHops     = "two hops"
	nameBaseline = "baseline"
	nameGateway  = "gateway"
	namePortkey  = "Portkey"
)

// build starts the processes of all ways.
func build(ctx context.Context, dir, portkey string, started *[]*role.Process) ([]stage, error) {
	launch := func(name string, arg, door any) (*role.Process, error) {
		p, err := role.Start(ctx, name, arg, door)
		if err == nil {
			*started = append(*started, p)
		}
		return p, err
	}
	var model, second, first, signing door
	pm, err := launch(RoleModel, struct{}{}, &model)
	if err != nil {
		return nil, err
	}
	p2, err := launch(RoleHop, Hop{Up: model.URL}, &second)
	if err != nil {
		return nil, err
	}
	p1, err := launch(RoleHop, Hop{Up: second.URL}, &first)
	if err != nil {
		return nil, err
	}
	ps, err := launch(RoleHop, Hop{Up: second.URL, Dir: dir, Sign: true}, &signing)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(dir, "gateway")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	var gate rig.Door
	pc, err := launch(RoleCoordinator, rig.Options{Dir: data}, &gate)
	if err != nil {
		return nil, err
	}
	pw, err := launch(RoleMiner, rig.MinerOptions{URL: gate.URL, Slots: minerSlots}, &struct{}{})
	if err != nil {
		return nil, err
	}
	stages := []stage{
		{target: target{name: nameDirect, url: model.URL, key: "none"}, processes: []*role.Process{pm}},
		{target: target{name: nameHops, url: first.URL, key: "none"}, processes: []*role.Process{p1, p2, pm}},
		{target: target{name: nameBaseline, url: signing.URL, key: "none"}, processes: []*role.Process{ps, p2, pm}},
		{target: target{name: nameGateway, url: gate.URL, key: gate.Key}, processes: []*role.Process{pc, pw}},
	}
	if portkey != "" {
		h := http.Header{}
		h.Set("X-Portkey-Provider", "openai")
		h.Set("X-Portkey-Custom-Host", model.URL+"/v1")
		// Its version 1.15.2 answers every stream with an error on Node 20.
		stages = append(stages, stage{target: target{name: namePortkey, url: portkey, key: "none", header: h}, processes: []*role.Process{pm}, wholeOnly: true})
	}
	return stages, nil
}
