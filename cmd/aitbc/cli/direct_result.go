package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// maxOutput is the most that the chain takes as an answer to a challenge.
const maxOutput = 65_536

// resultFlags are those of aitbc job submit.
type resultFlags struct {
	output, signer, from, class *string
	price                       *optionalAmount
	took                        *time.Duration
}

func submitResultFlags(set *flag.FlagSet) *resultFlags {
	return &resultFlags{
		output: set.String("output", "", "`file` with the output"),
		price:  amountFlag(set, "price", "what you ask for it, in `AITBC` (default the whole fee)"),
		took:   set.Duration("took", 0, "how `long` the work took, for the receipt"),
		class:  set.String("class", "", "`descriptor` of the equivalence class that it ran in, where the job names none"),
		signer: set.String("signer", "", "`address` of the miner's registered signing key (default the account that sends)"),
		from:   jobFrom(set, "miner"),
	}
}

// submitResult commits to a result, after what would answer a challenge is safe on disk.
func (c *call) submitResult(ctx context.Context, f *resultFlags) error {
	const command = "job submit"
	id, err := c.jobID()
	if err != nil {
		return err
	}
	if *f.output == "" {
		return usagef(command, "--output is missing")
	}
	output, err := os.ReadFile(*f.output)
	if err != nil {
		return err
	}
	s, err := c.signer(command, *f.from)
	if err != nil {
		return err
	}
	key := s.key
	if *f.signer != "" {
		a, err := c.accountOf(command, *f.signer)
		if err != nil {
			return err
		}
		if key, err = c.unlock(a); err != nil {
			return err
		}
	}
	m := predeploy.NewMarket(s.chain)
	j, err := knownJob(ctx, m, id, chainclient.Latest)
	if err != nil {
		return err
	}
	if j.State != predeploy.JobStateAccepted {
		return hint(fmt.Errorf("job %d is %s", id, j.State), "a result is submitted once, by the miner that accepted the job: aitbc job show %d", id)
	}
	d, typed, err := jobDigest(ctx, s.chain, m, id, j)
	if err != nil {
		return err
	}
	delivery, commitment, err := deliveryOf(j, typed, output)
	if err != nil {
		return err
	}
	r, err := signedReceipt(j, s.account, typed, commitment, f, time.Now())
	if err != nil {
		return err
	}
	sig, err := receipt.Sign(key, d, r)
	if err != nil {
		return err
	}
	path, err := c.keepDelivery(id, delivery)
	if err != nil {
		return err
	}
	c.progress("aitbc: what a challenge is answered with is in %s; give the client a copy", path)
	c.sending(s, fmt.Sprintf("submitting the result of job %d", id))
	sent, err := m.SubmitResult(ctx, s.sender, id, predeploy.JobResult{Receipt: r, Signature: sig, Delivery: crypto.Keccak256Hash(delivery)})
	if err != nil {
		return err
	}
	return c.printActed(ctx, s, sent, id)
}

// jobDigest returns the domain of the chain and the digest by which receipts name a job.
func jobDigest(ctx context.Context, eth *chainclient.Client, m *predeploy.Market, id uint64, j predeploy.Job) (receipt.Domain, common.Hash, error) {
	chain, err := eth.ChainID(ctx)
	if err != nil {
		return receipt.Domain{}, common.Hash{}, err
	}
	miners, err := m.JobMiners(ctx, id, chainclient.Latest)
	if err != nil {
		return receipt.Domain{}, common.Hash{}, err
	}
	d := receipt.Domain{ChainID: chain, Market: contracts.MarketAddress}
	return d, receipt.Digest(d, j.Typed(id, miners)), nil
}

// deliveryOf returns the bytes by which an output is delivered, and the commitment to it.
func deliveryOf(j predeploy.Job, job common.Hash, output []byte) (delivery []byte, commitment common.Hash, err error) {
	var salt receipt.Salt
	delivery = output
	if j.SealTo != (common.Hash{}) {
		if _, err := rand.Read(salt[:]); err != nil {
			return nil, commitment, fmt.Errorf("draw a salt: %w", err)
		}
		if delivery, err = receipt.SealOutput(j.SealTo, job, salt, output); err != nil {
			return nil, commitment, err
		}
	}
	if len(delivery) > maxOutput {
		return nil, commitment, hint(fmt.Errorf("the output takes %d bytes, a challenge can be answered with %d", len(delivery), maxOutput),
			"deliver a file that says where the output is, and its hash")
	}
	return delivery, receipt.JobOutput(salt, output), nil
}

func signedReceipt(j predeploy.Job, miner common.Address, job, commitment common.Hash, f *resultFlags, now time.Time) (receipt.Receipt, error) {
	price := j.Fee
	if f.price.given {
		price = f.price.value
	}
	if price.Cmp(j.Fee) > 0 {
		return receipt.Receipt{}, usagef("job submit", "--price %s is more than the fee of %s", price.Coins(), j.Fee.Coins())
	}
	class := j.Class
	if *f.class != "" {
		class = receipt.Class(*f.class)
	}
	if *f.took < 0 {
		return receipt.Receipt{}, usagef("job submit", "--took %s: want no negative time", *f.took)
	}
	return receipt.Receipt{
		Version: receipt.Version, Order: job, Client: j.Client, Miner: miner, Model: j.Model, Class: class, Output: commitment,
		ComputeMillis: uint64(f.took.Milliseconds()), Price: price, Level: j.Level, //nolint:gosec // not negative
		StartedAt: uint64(now.Add(-*f.took).UnixMilli()), FinishedAt: uint64(now.UnixMilli()),
	}, nil
}

// deliveryFile is named by what it holds: whoever submits again, or tries to, keeps what the first result committed to.
func deliveryFile(d home.Dir, id uint64, delivery common.Hash) string {
	return d.Path("jobs", fmt.Sprintf("%d-%x.delivery", id, delivery[:8]))
}

// keepDelivery writes down what a challenge is answered with, before the result is submitted: without it the bond is lost.
func (c *call) keepDelivery(id uint64, delivery []byte) (string, error) {
	d, err := c.home()
	if err != nil {
		return "", err
	}
	if err := home.Make(d.Path("jobs")); err != nil {
		return "", err
	}
	path := deliveryFile(d, id, crypto.Keccak256Hash(delivery))
	return path, atomicfile.Write(path, delivery, fs.FileMode(0o600))
}

// answerJob posts what the result committed to.
func (c *call) answerJob(ctx context.Context, file, from string) error {
	const tell = "name the file that aitbc job submit kept with --file"
	id, err := c.jobID()
	if err != nil {
		return err
	}
	s, err := c.signer("job answer", from)
	if err != nil {
		return err
	}
	m := predeploy.NewMarket(s.chain)
	j, err := knownJob(ctx, m, id, chainclient.Latest)
	if err != nil {
		return err
	}
	if j.Delivery == (common.Hash{}) {
		return fmt.Errorf("job %d is %s: it has no result that could be posted", id, j.State)
	}
	if file == "" {
		d, err := c.home()
		if err != nil {
			return err
		}
		file = deliveryFile(d, id, j.Delivery)
	}
	delivery, err := os.ReadFile(file) //nolint:gosec // the user's own file
	if errors.Is(err, fs.ErrNotExist) {
		return hint(err, tell)
	} else if err != nil {
		return err
	}
	if crypto.Keccak256Hash(delivery) != j.Delivery {
		return hint(fmt.Errorf("%s is not what the result of job %d committed to", file, id), tell)
	}
	c.sending(s, fmt.Sprintf("posting the output of job %d", id))
	r, err := m.DeliverJob(ctx, s.sender, id, delivery)
	if err != nil {
		return err
	}
	return c.printActed(ctx, s, r, id)
}

// jobOutput opens what was delivered, and holds it against the signed receipt.
func (c *call) jobOutput(ctx context.Context, file, to string) error {
	x, err := c.askedJob(ctx)
	if err != nil {
		return err
	}
	id, m, h, j := x.id, x.market, x.head, x.job
	events, err := m.JobEvents(ctx, id, 0, h.height)
	if err != nil {
		return err
	}
	result, posted := resultOf(events)
	if result == nil {
		return fmt.Errorf("job %d is %s: there is no result yet", id, j.State)
	}
	delivery := posted
	if file != "" {
		if delivery, err = os.ReadFile(file); err != nil { //nolint:gosec // the user's own file
			return err
		}
	}
	if delivery == nil {
		return hint(fmt.Errorf("the output of job %d was not posted on the chain", id), "give the file that you have from the miner with --file, or have it posted by aitbc job challenge %d", id)
	}
	d, job, err := jobDigest(ctx, x.chain, m, id, j)
	if err != nil {
		return err
	}
	output, salt := delivery, receipt.Salt{}
	if j.SealTo != (common.Hash{}) {
		key, err := c.sealingKey()
		if err != nil {
			return err
		}
		if salt, output, err = receipt.OpenOutput(key, job, delivery); err != nil {
			return err
		}
	}
	if receipt.Digest(d, result.Signed) != j.Receipt || receipt.JobOutput(salt, output) != result.Signed.Output || result.Signed.Order != job {
		return fmt.Errorf("this is not the output that the receipt of job %d commits to", id)
	}
	return c.writeOutput(id, j, output, to)
}

func resultOf(events []predeploy.Event) (result *predeploy.JobSubmitted, posted []byte) {
	for _, e := range events {
		switch e := e.(type) {
		case *predeploy.JobSubmitted:
			result = e
		case *predeploy.JobDelivered:
			posted = bytes.Clone(e.Output)
		}
	}
	return result, posted
}

func (c *call) writeOutput(id uint64, j predeploy.Job, output []byte, to string) error {
	if to != "" {
		if err := atomicfile.Write(to, output, fs.FileMode(0o600)); err != nil {
			return err
		}
	}
	if c.json {
		v := struct {
			Job     uint64         `json:"job"`
			Miner   common.Address `json:"miner"`
			Price   market.Amount  `json:"price"`
			Receipt common.Hash    `json:"receipt"`
			Bytes   int            `json:"bytes"`
			Output  []byte         `json:"output,omitempty"` // base64; absent with --to
		}{id, j.Miner, j.Price, j.Receipt, len(output), output}
		if to != "" {
			v.Output = nil
		}
		return c.printJSON(v)
	}
	if to != "" {
		_, err := fmt.Fprintf(c.Stdout, "the output of job %d is in %s: %d bytes, as the receipt commits to\n", id, to, len(output))
		return err
	}
	if c.Terminal(c.Stdout) {
		output = []byte(printableText(string(output)))
	}
	_, err := c.Stdout.Write(output)
	return err
}
