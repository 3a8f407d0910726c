package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner"
	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// askWithin bounds each question that the doctor asks.
const askWithin = 5 * time.Second

// oldHead is the age of the newest block above which the node is said to be behind.
const oldHead = 30 * time.Second

// verdict is how a check came out.
type verdict string

const (
	good  verdict = "ok"
	minor verdict = "warning" // jobs may come all the same
	bad   verdict = "problem" // no job comes
)

// finding is what one check found.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Found   string  `json:"found"`
	Do      string  `json:"do,omitempty"`
}

// errSick says that there are problems. They are printed.
var errSick = errors.New("this miner gets no work until the problems above are mended")

func doctorCommand() command {
	return command{name: "doctor", short: "Say why no work comes, and what to do", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		declareAddresses(fs)
		return func(ctx context.Context, c *call) error { return c.doctor(ctx) }
	}}
}

// doctor checks everything between this machine and a job, nearest first.
func (c *call) doctor(ctx context.Context) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	chooseBackends(set, c.home.Engines())
	d := &doctor{set: set, engines: c.home.Engines()}
	d.mining()
	d.key(c)
	d.gpus(ctx, gpu.This())
	for _, e := range set.Engines {
		d.engine(ctx, e)
	}
	d.chain(ctx)
	d.coordinator(ctx)
	for _, url := range set.Coordinator.More {
		d.other(ctx, url)
	}
	d.process(ctx)
	if err := c.print(struct {
		Findings []finding `json:"findings"`
	}{d.findings}, findingsTable(d.findings)); err != nil {
		return err
	}
	for _, f := range d.findings {
		if f.Verdict == bad {
			return errSick
		}
	}
	return nil
}

// doctor gathers findings; what one check learned serves the next.
type doctor struct {
	set      *settings.Settings
	engines  string // folder of what aitbc-miner engine install has put there
	findings []finding
	chainID  uint64 // by the node; 0 while unknown
	limits   func(ctx context.Context, coordinator api.Network) (limit, credited market.Amount, err error)
}

func (d *doctor) say(check string, v verdict, do, format string, args ...any) {
	d.findings = append(d.findings, finding{check, v, fmt.Sprintf(format, args...), do})
}

func (d *doctor) mining() {
	if !d.set.Mining.ComputeEnabled {
		d.say("settings", bad, "set mining.compute_enabled = true in config.toml", "taking jobs is switched off")
		return
	}
	d.say("settings", good, "", "slots for jobs: %d, engines: %d", d.set.Mining.Slots, len(d.set.Engines))
}

func (d *doctor) key(c *call) {
	_, err := c.unlock(d.set)
	if errors.Is(err, keystore.ErrNoPassphrase) {
		d.say("key", minor, "set "+keystore.PassphraseFileVariable+" to try it", "%s: no passphrase is here to open it with", d.set.Keys.Address)
		return
	}
	if err != nil {
		do := "check keys.dir, keys.address and keys.passphrase_file"
		if h, ok := errors.AsType[*hinted](err); ok {
			do = h.hint
		}
		d.say("key", bad, do, "%v", err)
		return
	}
	d.say("key", good, "", "%s opens", d.set.Keys.Address)
}

// chain asks the node, and remembers how to ask it about a coordinator.
func (d *doctor) chain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	eth, err := chainclient.New(d.set.Chain.RPCURL)
	if err != nil {
		d.say("node", bad, "correct chain.rpc_url", "%v", err)
		return
	}
	id, err := eth.ChainID(ctx)
	if err != nil {
		d.say("node", bad, "start a node, or correct chain.rpc_url", "%s does not answer: %v", d.set.Chain.RPCURL, err)
		return
	}
	head, err := eth.Header(ctx, chainclient.Latest)
	if err != nil {
		d.say("node", bad, "start a node, or correct chain.rpc_url", "it has no block: %v", err)
		return
	}
	d.chainID = id
	at := time.Unix(int64(head.Time), 0) //nolint:gosec // a block's time
	if age := time.Since(at); age > oldHead || age < -oldHead {
		d.say("node", minor, "wait until it has caught up, or set this machine's clock", "the newest block, %d, is of %s", head.Number, at.Format(time.DateTime))
	} else {
		d.say("node", good, "", "chain %d, block %d", id, head.Number)
	}
	d.stake(ctx, eth, at)
	mkt, me := predeploy.NewMarket(eth), d.set.Keys.Address
	d.limits = func(ctx context.Context, n api.Network) (limit, credited market.Amount, err error) {
		l, err := mkt.Limit(ctx, n.Coordinator, me, chainclient.Latest)
		if err != nil {
			return limit, credited, err
		}
		credited, err = mkt.Credited(ctx, n.Coordinator, me, chainclient.Latest)
		return l.Amount, credited, err
	}
}

// stake looks at the miner's place in the Registry.
func (d *doctor) stake(ctx context.Context, eth *chainclient.Client, now time.Time) {
	registry := predeploy.NewRegistry(eth)
	p, err := registry.Participant(ctx, predeploy.RoleMiner, d.set.Keys.Address, chainclient.Latest)
	if err != nil {
		d.say("stake", bad, "", "it cannot be read: %v", err)
		return
	}
	params, err := registry.Params(ctx, chainclient.Latest)
	if err != nil {
		d.say("stake", bad, "", "the least stake cannot be read: %v", err)
		return
	}
	until := time.Unix(int64(p.JailedUntil), 0) //nolint:gosec // a time on the chain
	switch balance, err := eth.Balance(ctx, d.set.Keys.Address, chainclient.Latest); {
	case err != nil:
		d.say("stake", bad, "", "the balance cannot be read: %v", err)
	case !p.Registered && balance.Cmp(market.Coins(d.set.Mining.StakeAmount)) < 0:
		d.say("stake", bad, fmt.Sprintf("send %d AITBC and a little for gas to %s", d.set.Mining.StakeAmount, d.set.Keys.Address), "not registered; the account has %s", balance.Coins())
	case !p.Registered:
		d.say("stake", minor, "aitbc-miner start registers", "not registered yet; the account has %s", balance.Coins())
	case until.After(now):
		d.say("stake", bad, "wait until then", "jailed until %s", until.Format(time.DateTime))
	case p.Stake.Cmp(params.MinMinerStake) < 0:
		d.say("stake", bad, fmt.Sprintf("raise it to at least %s", params.MinMinerStake.Coins()), "%s is less than the least stake of %s", p.Stake.Coins(), params.MinMinerStake.Coins())
	case p.Signer != d.set.Keys.Address:
		d.say("stake", bad, "use the key that is registered, or replace it on the chain", "the chain has %s as this account's signing key", p.Signer)
	default:
		d.say("stake", good, "", "%s, registered", p.Stake.Coins())
	}
}

// coordinator asks who gives out the jobs.
func (d *doctor) coordinator(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	client, err := httpx.NewClient(d.set.Coordinator.URL)
	if err != nil {
		d.say("coordinator", bad, "correct coordinator.url", "%v", err)
		return
	}
	var n api.Network
	var list api.MinerList
	if _, err := client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/network"}, &n); err != nil {
		d.say("coordinator", bad, "correct coordinator.url, or wait until it is back", "%s does not answer: %v", d.set.Coordinator.URL, err)
		return
	}
	if d.chainID != 0 && n.ChainID != d.chainID {
		d.say("coordinator", bad, "use a node and a coordinator of the same network", "it is on chain %d, the node on chain %d", n.ChainID, d.chainID)
		return
	}
	d.say("coordinator", good, "", "%s, version %s, %d jobs wait, %d run", n.Coordinator, n.Version, n.QueuedJobs, n.RunningJobs)
	if d.limits != nil {
		limit, credited, err := d.limits(ctx, n)
		switch {
		case err != nil:
			d.say("bond", bad, "", "it cannot be read: %v", err)
		case limit.IsZero():
			d.say("bond", minor, "a coordinator sets some aside when a miner joins: aitbc-miner start", "the coordinator has set nothing aside for this miner")
		default:
			d.say("bond", good, "", "%s is set aside for this miner, %s was paid", limit.Coins(), credited.Coins())
		}
	}
	if _, err := client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/miners"}, &list); err != nil {
		d.say("competition", minor, "", "the coordinator does not say: %v", err)
		return
	}
	d.competition(list.Miners)
}

// other looks whether one more coordinator answers, for the same network.
func (d *doctor) other(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var n api.Network
	client, err := httpx.NewClient(url)
	if err == nil {
		_, err = client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/network"}, &n)
	}
	switch {
	case err != nil:
		d.say("coordinator", minor, "correct coordinator.more, or wait until it is back", "%s does not answer: %v", url, err)
	case d.chainID != 0 && n.ChainID != d.chainID:
		d.say("coordinator", minor, "take it out of coordinator.more", "%s is on chain %d, the node on chain %d", url, n.ChainID, d.chainID)
	default:
		d.say("coordinator", good, "", "%s at %s, version %s", n.Coordinator, url, n.Version)
	}
}

// competition compares this miner's prices with the others'.
func (d *doctor) competition(miners []api.Miner) {
	var mine *api.Miner
	for i := range miners {
		if miners[i].Miner == d.set.Keys.Address {
			mine = &miners[i]
		}
	}
	if mine == nil || mine.State == "offline" {
		d.say("offers", bad, "aitbc-miner start", "the coordinator does not see this miner")
		return
	}
	for _, o := range mine.Offers {
		others, cheaper := 0, 0
		for _, m := range miners {
			for _, x := range m.Offers {
				if m.Miner == mine.Miner || m.State != "online" || x.Digest != o.Digest {
					continue
				}
				others++
				if x.Completion.Cmp(o.Completion) < 0 || x.Completion == o.Completion && x.Prompt.Cmp(o.Prompt) < 0 {
					cheaper++
				}
			}
		}
		if cheaper > 0 {
			d.say("offers", minor, "lower completion_rate and prompt_rate of its engine: jobs go to the cheapest first", "%s: %d of %d others are cheaper", o.Model, cheaper, others)
		} else {
			d.say("offers", good, "", "%s: %d others offer it, none cheaper", o.Model, others)
		}
	}
}

// process asks the running miner.
func (d *doctor) process(ctx context.Context) {
	client, err := httpx.NewClient("http://" + d.set.Server.Addr)
	if err != nil {
		d.say("miner", bad, "correct server.addr", "%v", err)
		return
	}
	var st miner.Status
	switch _, err := client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/status", Timeout: askWithin}, &st); {
	case err != nil:
		d.say("miner", bad, "aitbc-miner start", "it does not run: %v", err)
	case st.Link != "up":
		d.say("miner", bad, "look at its log", "no link to the coordinator: %s", st.LinkError)
	case st.Reason != "":
		d.say("miner", bad, "", "it waits: %s", st.Reason)
	default:
		d.say("miner", good, "", "%s, %d of %d slots busy, %d jobs done", st.Phase, len(st.Running), st.Slots, st.Totals.Jobs["completed"])
		for _, g := range st.GPUs {
			if g.Held != "" {
				d.say("miner", minor, "", "models on GPU %d get no jobs: %s", g.Index, g.Held)
			}
		}
	}
}

// findingsTable writes findings for people.
func findingsTable(list []finding) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Verdict, f.Check, f.Found)
		if f.Do != "" {
			fmt.Fprintf(w, "\t\t→ %s\n", f.Do)
		}
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
