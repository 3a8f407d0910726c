package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/internal/pgtest"
)

// Two coordinators share one PostgreSQL. One is killed under load; its miner and
// its clients go on at the other. Every acknowledged job ends paid or refunded,
// once, and the sums of ledger and chain agree to the unit.
func TestKillOneOfTwoCoordinators(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"the one that settles", "the other"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			killOne(t, victim == "the one that settles")
		})
	}
}

// killOne kills the network's own coordinator, which leads as it was there first
// and is started again, or the second, which stays dead.
func killOne(t *testing.T, leader bool) {
	const clients, each, killAfter = 4, 12, 16
	n := network.Start(t, network.Options{Env: []string{"DATABASE_URL=" + pgtest.Start(t).URL()}})
	m := model(t, n)
	second := n.Replica()
	// The miner comes through a door that leads to the victim, until that dies.
	own := strings.TrimPrefix(n.APIURL(), "http://")
	victim, survivor := second.Addr, own
	if leader {
		victim, survivor = own, second.Addr
	}
	door := network.NewDoor(t, victim)
	pointMiner(t, n, door)
	n.Wait("the miner", func() bool {
		list, err := second.Miners(t.Context())
		return err == nil && len(list) == 1 && list[0].State == "online"
	})
	before := n.Audit()

	first := n.Client()
	jobs := make(chan common.Hash, clients*each)
	enough := make(chan struct{})
	killed := sync.OnceFunc(func() { close(enough) })
	var load, fault sync.WaitGroup
	for c := range clients {
		load.Go(func() {
			at := []*client.Client{first, second.Client}
			for i := range each {
				r := api.SubmitRequest{Model: m, Prompt: fmt.Sprintf("Say hello to %d.", i), MaxTokens: 8, TTLSeconds: 90}
				key := fmt.Sprint("key ", c, "/", i)
				n.Wait("a job to be taken", func() bool { // by either; the key makes it one job
					out, err := at[i%2].Submit(t.Context(), r, key)
					if err != nil {
						out, err = at[(i+1)%2].Submit(t.Context(), r, key)
					}
					if err == nil {
						jobs <- out.JobID
					}
					return err == nil
				})
				if len(jobs) >= killAfter {
					killed()
				}
			}
		})
	}
	fault.Go(func() {
		<-enough
		if leader {
			n.Signal("coordinator", syscall.SIGKILL)
		} else if err := second.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		door.Lead(survivor)
	})
	load.Wait()
	fault.Wait()
	close(jobs)
	var all []common.Hash
	states := map[string]int{}
	for id := range jobs {
		j := ended(t, n, id)
		states[fmt.Sprint(j.State, " ", j.Payment)]++
		all = append(all, id)
	}
	t.Logf("%d jobs: %v", len(all), states)
	n.Wait("rest", func() bool { a, err := first.Account(t.Context()); return err == nil && a.Charged == a.Debited })
	exactlyOnce(t, n, all)
	reconciled(t, n)
	n.Conserved(before, n.Audit())
}

// pointMiner has the miner talk to another address from now on.
func pointMiner(t *testing.T, n *network.Network, to fmt.Stringer) {
	t.Helper()
	setCoordinator(t, n, fmt.Sprintf("url = %q", to))
}

// setCoordinator adds a line to what the miner's settings say of coordinators, and starts it again.
func setCoordinator(t *testing.T, n *network.Network, line string) {
	t.Helper()
	path := n.Home.Path("miner", "config.toml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const section = "[coordinator]\n"
	if bytes.Count(raw, []byte(section)) != 1 {
		t.Fatalf("the miner's settings have no %s:\n%s", section, raw)
	}
	changed := bytes.ReplaceAll(raw, []byte(section), fmt.Appendf(nil, "%s%s\n", section, line))
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	n.Kill("miner")
}
