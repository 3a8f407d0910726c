package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/market"
)

// directJob is what the commands about direct jobs say.
type directJob struct {
	Job      uint64         `json:"job"`
	State    string         `json:"state"`
	Client   common.Address `json:"client"`
	Miner    common.Address `json:"miner"`
	Fee      market.Amount  `json:"fee"`
	Price    market.Amount  `json:"price"`
	Bond     market.Amount  `json:"bond"`
	Outcome  string         `json:"outcome"`
	ToClient market.Amount  `json:"to_client"`
	ToMiner  market.Amount  `json:"to_miner"`
	Protocol market.Amount  `json:"protocol_fee"`
	Delivery common.Hash    `json:"delivery"`
	Block    uint64         `json:"block"`
}

// jobs runs the commands about direct jobs.
type jobs struct {
	*network.Network
	t    *testing.T
	spec string
}

func directJobs(t *testing.T, n *network.Network) jobs {
	t.Helper()
	spec := filepath.Join(t.TempDir(), "spec.txt")
	if err := os.WriteFile(spec, []byte("Count the letters of this line."), 0o600); err != nil {
		t.Fatal(err)
	}
	return jobs{n, t, spec}
}

func (j jobs) create(args ...string) directJob {
	j.t.Helper()
	var d directJob
	j.JSON(&d, append([]string{"job", "create", j.spec, "--fee", "10"}, args...)...)
	if d.State != "open" || d.Job == 0 || d.Fee != market.Coins(10) || d.Bond != market.Coins(2) || d.Client != j.Network.Network.Client {
		j.t.Fatalf("created: %+v", d)
	}
	return d
}

// do runs a command about a job, after which it must be in a state.
func (j jobs) do(state, word string, id uint64, args ...string) directJob {
	j.t.Helper()
	var d directJob
	j.JSON(&d, append([]string{"job", word, strconv.FormatUint(id, 10)}, args...)...)
	if d.State != state {
		j.t.Fatalf("job %d after %s: %+v, want it %s", id, word, d, state)
	}
	return d
}

// A direct job goes all its way by the command line: ordered, accepted, done, delivered, paid; and, against a client
// that says it was given nothing, delivered on the chain, sealed.
func TestDirectJobIsOrderedDoneAndPaid(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{})
	before := n.Audit()
	j := directJobs(t, n)
	output := filepath.Join(t.TempDir(), "output")
	const secret = "twenty-six letters, says the miner"
	if err := os.WriteFile(output, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}

	// Paid by acknowledgement, below the fee.
	d := j.create("--miner", n.Miner.Hex())
	j.do("accepted", "accept", d.Job)
	d = j.do("submitted", "submit", d.Job, "--output", output, "--price", "4")
	delivery := n.Home.Path("jobs", fmt.Sprintf("%d-%x.delivery", d.Job, d.Delivery[:8]))
	if _, err := n.Run("job", "submit", fmt.Sprint(d.Job), "--output", output); err == nil || !strings.Contains(err.Error(), "is submitted once") {
		t.Errorf("a second result: %v", err)
	}
	if out, err := n.Run("job", "output", fmt.Sprint(d.Job), "--file", delivery); err != nil || string(out) != secret {
		t.Errorf("the output is %q: %v", out, err)
	}
	if _, err := n.Run("job", "output", fmt.Sprint(d.Job)); err == nil || !strings.Contains(err.Error(), "was not posted") {
		t.Errorf("an output that was not posted: %v", err)
	}
	j.do("paid", "ack", d.Job)
	d = j.do("paid", "show", d.Job)
	if d.Outcome != "acknowledged" || d.Price != market.Coins(4) || d.ToClient != market.Coins(6) || d.Protocol != market.Units(1e17) ||
		new(big.Int).Add(d.ToMiner.Big(), d.Protocol.Big()).Cmp(market.Coins(6).Big()) != 0 {
		t.Errorf("paid: %+v", d)
	}
	n.Audit()

	// Paid by an answer, with the client's bond.
	d = j.create()
	j.do("accepted", "accept", d.Job)
	j.do("submitted", "submit", d.Job, "--output", output)
	j.do("challenged", "challenge", d.Job)
	if locked := jobsOf(t, n); locked != market.Coins(14) {
		t.Errorf("%s are locked, want fee and both bonds", locked)
	}
	block := j.do("paid", "answer", d.Job).Block
	d = j.do("paid", "show", d.Job)
	if d.Outcome != "delivered" || !d.ToClient.IsZero() || new(big.Int).Add(d.ToMiner.Big(), d.Protocol.Big()).Cmp(market.Coins(14).Big()) != 0 {
		t.Errorf("answered: %+v", d)
	}
	if out, err := n.Run("job", "output", fmt.Sprint(d.Job)); err != nil || string(out) != secret {
		t.Errorf("the output on the chain is %q: %v", out, err)
	}
	m := predeploy.NewMarket(n.Chain())
	events, err := m.JobEvents(t.Context(), d.Job, block, block)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if posted, ok := e.(*predeploy.JobDelivered); ok && bytes.Contains(posted.Output, []byte(secret)) {
			t.Error("the output is on the chain for everybody to read")
		}
	}

	// Refusals say what to do.
	for _, c := range []struct{ args, want string }{
		{fmt.Sprintf("ack %d", d.Job), "hint: the job is paid"},
		{"accept 99", "there is no job 99"},
		{fmt.Sprintf("answer %d --file %s", d.Job, output), "is not what the result of job"},
	} {
		if _, err := n.Run(append([]string{"job"}, strings.Fields(c.args)...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("job %s: %v, want %q", c.args, err, c.want)
		}
	}
	var list []directJob
	n.JSON(&list, "job", "list", "--of", "miner", "--state", "paid")
	if len(list) != 2 || list[0].Job != d.Job {
		t.Errorf("list: %+v", list)
	}
	// The fees are the miner's work, as those of sessions are.
	var rewards struct {
		Epochs []struct {
			Fees market.Amount `json:"fees"`
		} `json:"epochs"`
	}
	n.JSON(&rewards, "rewards", "show")
	if len(rewards.Epochs) == 0 || rewards.Epochs[0].Fees.Cmp(market.Units(35e16)) < 0 {
		t.Errorf("rewards: %+v", rewards)
	}
	n.Conserved(before, n.Audit())
}

// A job that is forgotten in any of its states is ended by the chain at that state's deadline, with every coin where it
// belongs, and without a transaction of its client's or its miner's.
func TestForgottenDirectJobsAreEndedByTheChain(t *testing.T) {
	t.Parallel()
	n := network.Start(t, network.Options{Genesis: func(g *contracts.Genesis) { g.Jobs.ChallengeWindow, g.Jobs.AnswerWindow = 40, 40 }})
	before := n.Audit()
	j := directJobs(t, n)
	output := j.spec
	submitted, challenged := j.create(), j.create()
	accepted := j.create("--accept-within", "40s", "--done-within", "50s")
	open := j.create("--accept-within", "40s")
	for _, d := range []directJob{accepted, submitted, challenged} {
		j.do("accepted", "accept", d.Job)
	}
	for _, d := range []directJob{submitted, challenged} {
		j.do("submitted", "submit", d.Job, "--output", output, "--price", "8")
	}
	j.do("challenged", "challenge", challenged.Job)

	// From here on nobody does anything.
	people := []common.Address{n.Network.Client, n.Miner}
	nonces := map[common.Address]uint64{}
	had := map[common.Address]market.Amount{}
	for _, a := range people {
		nonces[a], had[a] = nonceOf(t, n, a), n.Balance(a)
	}
	if locked := jobsOf(t, n); locked != market.Coins(10+12+12+14) {
		t.Fatalf("%s are locked: a job ended before all were forgotten", locked)
	}
	for _, c := range []struct {
		job            directJob
		state, outcome string
	}{
		{open, "refunded", "not accepted in time"},
		{accepted, "refunded", "no result in time"},
		{submitted, "paid", "not challenged"},
		{challenged, "refunded", "not delivered"},
	} {
		var d directJob
		n.Wait("the end of job "+fmt.Sprint(c.job.Job), func() bool {
			n.JSON(&d, "job", "show", fmt.Sprint(c.job.Job))
			return d.State == "paid" || d.State == "refunded"
		})
		if d.State != c.state || d.Outcome != c.outcome {
			t.Errorf("forgotten: %+v, want it %s, %s", d, c.state, c.outcome)
		}
		n.Audit()
	}
	for a, want := range map[common.Address]*big.Int{
		// All of the first; the second and both of the fourth with the miner's bonds and its own; 2 of 10 of the third.
		n.Network.Client: market.Coins(10 + 12 + 14 + 2).Big(),
		// 8, less 2.5 %, and its bond.
		n.Miner: market.Units(98e17).Big(),
	} {
		if got := new(big.Int).Sub(n.Balance(a).Big(), had[a].Big()); got.Cmp(want) != 0 {
			t.Errorf("%s gained %s, want %s", a, got, want)
		}
		if nonceOf(t, n, a) != nonces[a] {
			t.Errorf("%s sent a transaction", a)
		}
	}
	if locked := jobsOf(t, n); !locked.IsZero() {
		t.Errorf("%s are still locked", locked)
	}
	n.Conserved(before, n.Audit())
}

// jobsOf is what aitbcd check says that direct jobs hold.
func jobsOf(t *testing.T, n *network.Network) market.Amount {
	t.Helper()
	raw, err := n.Check(-1)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Jobs struct {
			Locked market.Amount `json:"locked"`
			Sum    market.Amount `json:"sum"`
		} `json:"jobs"`
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&report); err != nil || report.Jobs.Locked != report.Jobs.Sum {
		t.Fatalf("%v in %s", err, raw)
	}
	return report.Jobs.Sum
}

func nonceOf(t *testing.T, n *network.Network, a common.Address) uint64 {
	t.Helper()
	nonce, err := n.Chain().Nonce(t.Context(), a, chainclient.Latest)
	if err != nil {
		t.Fatal(err)
	}
	return nonce
}
