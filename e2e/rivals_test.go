package e2e_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// One miner works for two coordinators of different owners. One of them is
// killed under load; the other's jobs go on, and each pays to the unit what its
// own jobs earned.
func TestAMinerWorksForTwoCoordinators(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	name := model(t, n)
	first := n.Client()

	var made struct {
		Address common.Address `json:"address"`
	}
	n.JSON(&made, "keys", "create")
	if _, err := chainclient.NewSender(n.Chain(), n.Key(n.Operator)).Send(t.Context(), chainclient.Tx{To: made.Address, Value: market.Coins(100_100).Big()}); err != nil {
		t.Fatal(err)
	}
	before := n.Audit()
	rival := n.Rival(made.Address)
	setCoordinator(t, n, fmt.Sprintf("more = [%q]", "http://"+rival.Addr))
	n.Wait("the miner at both", func() bool {
		list, err := rival.Models(t.Context())
		return err == nil && len(list) > 0
	})
	if out, err := n.RunAt(rival, "session", "open", "--deposit", "100", "--json"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	second, err := client.New("http://"+rival.Addr, n.APIKey())
	if err != nil {
		t.Fatal(err)
	}

	const each = 8
	var load sync.WaitGroup
	jobs := make([][]common.Hash, 2)
	for at, c := range []*client.Client{first, second} {
		load.Go(func() {
			for i := range each {
				r := api.SubmitRequest{Model: name, Prompt: fmt.Sprintf("Say hello to %d.", i), MaxTokens: 8}
				n.Wait("a job to be taken", func() bool { // the first is away for a while; the key makes it one job
					out, err := c.Submit(t.Context(), r, fmt.Sprint("key ", i))
					if err == nil {
						jobs[at] = append(jobs[at], out.JobID)
					}
					return err == nil
				})
				if at == 0 && i == each/2 {
					n.Signal("coordinator", syscall.SIGKILL)
				}
			}
		})
	}
	load.Wait()
	for at, c := range []*client.Client{first, second} {
		paid(t, n, c, []common.Address{n.Coordinator, made.Address}[at], jobs[at], each)
	}

	var status struct {
		Coordinators []struct {
			Coordinator common.Address `json:"coordinator"`
			Link        string         `json:"link"`
		} `json:"coordinators"`
	}
	n.Wait("both to be shown", func() bool {
		raw, err := n.Program("aitbc-miner", "status", "--json")
		if err != nil || json.Unmarshal(raw, &status) != nil {
			return false
		}
		return len(status.Coordinators) == 2 && status.Coordinators[0].Link == "up" && status.Coordinators[1].Link == "up"
	})
	n.Conserved(before, n.Audit())
}

// paid waits until a coordinator has paid for its jobs, and fails the test unless it took and paid just what they cost.
func paid(t *testing.T, n *network.Network, c *client.Client, coordinator common.Address, jobs []common.Hash, want int) {
	t.Helper()
	const feeBps, marginBps = 250, 100
	var sum, margins market.Amount
	for _, id := range jobs {
		var j api.Job
		n.Wait("the payment of "+id.Hex(), func() (over bool) {
			var err error
			j, err = c.Job(t.Context(), id)
			return err == nil && j.Payment != market.Reserved && j.Payment != market.Charged
		})
		if j.State != market.Completed || j.Payment != market.Settled {
			t.Errorf("job %s of %s: %+v", id, coordinator, j)
		}
		split, err := market.Divide(sum, j.Price, feeBps, marginBps)
		if err != nil {
			t.Fatal(err)
		}
		if margins, err = margins.Add(split.Margin); err != nil {
			t.Fatal(err)
		}
		if sum, err = sum.Add(j.Price); err != nil {
			t.Fatal(err)
		}
	}
	fee, err := market.Fee(market.Amount{}, sum, feeBps)
	if err != nil {
		t.Fatal(err)
	}
	earned, err := sum.Sub(fee)
	if err == nil {
		earned, err = earned.Sub(margins)
	}
	if err != nil {
		t.Fatal(err)
	}
	acc, err := c.Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	credited, err := predeploy.NewMarket(n.Chain()).Credited(t.Context(), coordinator, n.Miner, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != want || acc.Debited != sum || credited != earned {
		t.Errorf("%d jobs of %s cost %s and earned %s; %s were debited and %s credited", len(jobs), coordinator, sum, earned, acc.Debited, credited)
	}
}
