package money_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/e2e/money"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

const (
	buyers  = 16
	usual   = 10_000 // requests; AITBC_MONEY_REQUESTS says another number
	streams = 1000
	// mostRefused is how often a buyer whose budget is spent tries again: it is quickly refused, and would use up all requests.
	mostRefused = 40
	everyKill   = 4 * time.Second
	longKill    = 15 * time.Second // between kills in a long run, which is to be over some day
	longRun     = 100_000          // requests
	readAtOnce  = 8
	tellEvery   = 30 * time.Second
)

// number reads a number from the environment.
func number(t *testing.T, name string, other uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return other
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// offer makes the network's miner sell the engine's model.
func offer(t *testing.T, n *network.Network, url string) {
	t.Helper()
	file := filepath.Join(n.Home.Miner(), "config.toml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "slots = 1", "slots = 16", 1) +
		fmt.Sprintf("\n[[engine]]\nkind = \"openai\"\nurl = %q\nmodels = [%q]\nprompt_rate = \"0.7\"\ncompletion_rate = \"1.3\"\nmax_tokens = 512\n", url, money.Model)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Kill("miner")
	n.Wait("the model", func() bool {
		out, err := n.Run("models", "--json")
		return err == nil && strings.Contains(string(out), `"`+money.Model+`"`)
	})
}

// bought is everything that the buyers were acknowledged.
type bought struct {
	// mu guards what follows.
	mu        sync.Mutex
	purchases []*money.Purchase
	problems  []string
}

func (b *bought) add(p *money.Purchase, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.problems = append(b.problems, err.Error())
	}
	if p != nil && p.ID != (common.Hash{}) {
		b.purchases = append(b.purchases, p)
	}
}

// Thousands of jobs are bought in every way while node, coordinator and miner are killed in turn. At the end every one of
// them is paid or refunded, and all books agree to the unit.
func TestMoneyAddsUpWhateverHappens(t *testing.T) {
	requests, seed := number(t, "AITBC_MONEY_REQUESTS", usual), number(t, "AITBC_MONEY_SEED", uint64(time.Now().UnixNano()))
	t.Logf("AITBC_MONEY_REQUESTS=%d AITBC_MONEY_SEED=%d", requests, seed)
	deposit, err := market.ParseCoins("1000")
	if err != nil {
		t.Fatal(err)
	}
	n := network.Start(t, network.Options{Deposit: deposit})
	offer(t, n, money.Serve(t))
	before := n.Audit()

	all := new(bought)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	var left sync.Mutex
	todo := requests
	next := func() bool {
		left.Lock()
		defer left.Unlock()
		if todo == 0 {
			return false
		}
		todo--
		return true
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * buyers}, Timeout: 2 * time.Minute}
	// Every fourth buyer shares a key whose budget pays for about a quarter of what they want.
	budget := market.Units(requests / 16 * 14_000_000_000_000)
	var limited struct {
		ID     common.Hash `json:"id"`
		APIKey string      `json:"api_key"`
	}
	n.JSON(&limited, "session", "key", "--budget", budget.Coins())
	list := make([]*money.Buyer, buyers)
	for i := range list {
		b := &money.Buyer{URL: n.APIURL(), Key: n.APIKey().Reveal(), HTTP: client, Rand: rand.New(rand.NewPCG(seed, uint64(i))), Name: fmt.Sprintf("b%d", i)}
		if i%4 == 0 {
			b.Key, b.Limited = limited.APIKey, true
		}
		list[i] = b
		wg.Go(func() {
			for b.Refused < mostRefused && next() {
				all.add(b.Buy(ctx))
			}
		})
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	go tell(over, func() string {
		left.Lock()
		defer left.Unlock()
		return fmt.Sprintf("%d of %d requests", requests-todo, requests)
	})
	pause := everyKill
	if requests >= longRun {
		pause = longKill
	}
	kills := killInTurn(n, pause, over)
	t.Logf("%d requests, %d jobs, %d kills", requests, len(all.purchases), kills)
	for i, p := range all.problems {
		if i == 20 {
			t.Fatalf("and %d more", len(all.problems)-20)
		}
		t.Error(p)
	}
	jobs := settle(t, n, all.purchases)
	spent(t, n, limited.ID, budget, list, jobs)
	n.Conserved(before, n.Audit())
}

// B12: where nothing is killed, no stream is cut, whether one client asks or many do.
func TestB12NoStreamIsCut(t *testing.T) {
	n := network.Start(t, network.Options{})
	offer(t, n, money.Serve(t))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: buyers}, Timeout: 2 * time.Minute}
	for _, at := range []int{1, buyers} {
		var wg sync.WaitGroup
		for i := range at {
			b := &money.Buyer{URL: n.APIURL(), Key: n.APIKey().Reveal(), HTTP: client, Name: fmt.Sprintf("s%d-%d", at, i)}
			wg.Go(func() {
				for k := range streams / at {
					if p, err := b.Stream(t.Context(), 1+k%40); err != nil || !p.Answered {
						t.Errorf("%s, %d at a time: cut: %v", p.Fate.ID, at, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// spent checks that the key with the budget paid for what its buyers bought, to the unit, and not for more than its budget.
func spent(t *testing.T, n *network.Network, id common.Hash, budget market.Amount, buyers []*money.Buyer, jobs map[common.Hash]api.Job) {
	t.Helper()
	var keys []api.Key
	n.JSON(&keys, "session", "keys")
	at := slices.IndexFunc(keys, func(k api.Key) bool { return k.ID == id })
	if at < 0 || keys[at].Spent == nil {
		t.Fatalf("the key with a budget is not listed: %+v", keys)
	}
	refused := 0
	var cost sums
	for _, b := range buyers {
		refused += b.Refused
		for _, job := range b.Bought {
			if b.Limited {
				cost.add(t, jobs[job].Price, market.Amount{})
			}
		}
	}
	if got := keys[at].Spent.Total; got.Cmp(budget) > 0 || got.IsZero() || got != cost.price || refused == 0 {
		t.Errorf("of a budget of %s the key says that %s is spent; its jobs cost %s, and %d were refused", budget, got, cost.price, refused)
	}
	t.Logf("of a budget of %s, %s is spent; %d jobs were refused", budget.Coins(), cost.price.Coins(), refused)
}

// tell says now and then how far a long test is, until the channel is closed.
func tell(over <-chan struct{}, far func() string) {
	began := time.Now()
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			fmt.Fprintf(os.Stderr, "%s: %s\n", time.Since(began).Round(time.Second), far())
		}
	}
}

// killInTurn kills one service after another until the channel is closed, and says how many.
func killInTurn(n *network.Network, pause time.Duration, over <-chan struct{}) (kills int) {
	services := []string{"coordinator", "miner", "node"}
	for {
		select {
		case <-over:
			return kills
		case <-time.After(pause):
			n.Kill(services[kills%len(services)])
			kills++
		}
	}
}

// sums is what jobs cost by one book.
type sums struct{ price, fee market.Amount }

func (s *sums) add(t *testing.T, price, fee market.Amount) {
	t.Helper()
	var err error
	if s.price, err = s.price.Add(price); err != nil {
		t.Fatal(err)
	}
	if s.fee, err = s.fee.Add(fee); err != nil {
		t.Fatal(err)
	}
}

// settle waits for the end of everything and compares the books.
func settle(t *testing.T, n *network.Network, purchases []*money.Purchase) map[common.Hash]api.Job {
	t.Helper()
	n.Wait("rest", func() bool {
		a, err := n.Client().Account(t.Context())
		return err == nil && a.Reserved.IsZero() && a.Charged == a.Debited
	})
	jobs, receipts := read(t, n, purchases)
	var byJob, byReceipt sums
	states := map[string]int{}
	for _, p := range purchases {
		j := jobs[p.ID]
		states[fmt.Sprintf("%s: %s, %s", p.Way, j.State, j.Payment)]++
		byJob.add(t, j.Price, j.Fee)
		switch {
		case !j.State.Terminal() || j.Payment != market.Settled && j.Payment != market.Refunded:
			t.Errorf("%s (%s): job %s has not ended: %s, %s", p.Fate.ID, p.Way, p.ID, j.State, j.Payment)
		case (j.Payment == market.Refunded) != j.Price.IsZero():
			t.Errorf("%s (%s): job %s is %s at %s", p.Fate.ID, p.Way, p.ID, j.Payment, j.Price)
		case p.Answered && (j.State != market.Completed || j.Usage.CompletionTokens != uint64(p.Fate.Words)):
			t.Errorf("%s (%s): the client had its %d words; the job is %s with %d", p.Fate.ID, p.Way, p.Fate.Words, j.State, j.Usage.CompletionTokens)
		case p.Way == money.Fail && !j.Price.IsZero():
			t.Errorf("%s: a job that always failed cost %s", p.Fate.ID, j.Price)
		}
		r, ok := receipts[p.ID]
		if ok != (j.Payment == market.Settled) {
			t.Errorf("%s (%s): job %s is %s, with a receipt: %v", p.Fate.ID, p.Way, p.ID, j.Payment, ok)
		}
		byReceipt.add(t, r.Price, j.Fee)
	}
	for _, line := range slices.Sorted(maps.Keys(states)) {
		t.Logf("%5d %s", states[line], line)
	}
	a, err := n.Client().Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if byJob.price != byReceipt.price || byJob.price != a.Charged || byJob.price != a.Debited {
		t.Errorf("jobs cost %s, receipts say %s, the ledger charged %s, the chain debited %s", byJob.price, byReceipt.price, a.Charged, a.Debited)
	}
	agreed(t, n, a, byJob)
	return jobs
}

// read asks for all jobs and for the receipts of those that were paid.
func read(t *testing.T, n *network.Network, purchases []*money.Purchase) (map[common.Hash]api.Job, map[common.Hash]receipt.Receipt) {
	t.Helper()
	jobs, receipts := map[common.Hash]api.Job{}, map[common.Hash]receipt.Receipt{}
	c := n.Client()
	var mu sync.Mutex
	var wg sync.WaitGroup
	queue := make(chan common.Hash)
	for range readAtOnce {
		wg.Go(func() {
			for id := range queue {
				j, err := c.Job(t.Context(), id)
				var list []json.RawMessage
				if err == nil && j.Payment == market.Settled {
					list, err = c.Receipts(t.Context(), id)
				}
				var b *receipt.Bundle
				if err == nil && len(list) == 1 {
					b, err = receipt.ParseBundle(list[0])
				}
				if err != nil || len(list) > 1 {
					t.Errorf("job %s: %v, %d receipts", id, err, len(list))
					continue
				}
				mu.Lock()
				jobs[id] = j
				if b != nil {
					receipts[id] = b.Receipt
				}
				mu.Unlock()
			}
		})
	}
	seen := map[common.Hash]bool{}
	for _, p := range purchases {
		if seen[p.ID] {
			t.Errorf("job %s was bought by two", p.ID)
		}
		seen[p.ID] = true
		queue <- p.ID
	}
	close(queue)
	wg.Wait()
	return jobs, receipts
}

// agreed compares the ledger with the chain: by the coordinator's own check, to the unit, which knows its margin; and without
// it by what the chain debited and credited.
func agreed(t *testing.T, n *network.Network, a api.Account, cost sums) {
	t.Helper()
	raw, err := n.Run("coordinator", "check", "--json")
	var out coordinator.Reconciliation
	if err != nil || json.Unmarshal(raw, &out) != nil || !out.OK || !out.Lost.IsZero() {
		t.Errorf("aitbc coordinator check: %v\n%s", err, raw)
	}
	mkt := predeploy.NewMarket(n.Chain())
	x, err := mkt.Session(t.Context(), a.Session, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if x.Debited != cost.price || x.Deposit != a.Deposit {
		t.Errorf("the chain debited %s of %s; jobs cost %s of %s", x.Debited, x.Deposit, cost.price, a.Deposit)
	}
	credited, err := mkt.Credited(t.Context(), n.Coordinator, n.Miner, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := cost.price.Sub(cost.fee)
	if err != nil {
		t.Fatal(err)
	}
	if credited.Cmp(rest) > 0 {
		t.Errorf("the miner was credited %s of %s that are left after fees of %s", credited, rest, cost.fee)
	}
	t.Logf("jobs cost %s, fees %s, the miner was credited %s", cost.price.Coins(), cost.fee.Coins(), credited.Coins())
}
