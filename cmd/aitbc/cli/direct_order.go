package cli

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// maxSpec bounds the file that says what to do; the chain publishes at most so much.
const maxSpec = 16_384

// orderFlags are those of aitbc job create.
type orderFlags struct {
	fee            *optionalAmount
	model, sealTo  *common.Hash
	class          *string
	publish, open  *bool
	accept, finish *time.Duration
	miners         []common.Address
	from           *string
}

func createFlags(set *flag.FlagSet) *orderFlags {
	f := &orderFlags{
		fee:     amountFlag(set, "fee", "most that the job may cost, in `AITBC`; it is locked"),
		model:   hexHash(set, "model", "`digest` of the model that must do it (aitbc models lists them)"),
		class:   set.String("class", "", "`descriptor` of the equivalence class that must do it"),
		publish: set.Bool("publish", false, "put SPEC itself on the chain, for everybody to read"),
		open:    set.Bool("open", false, "have the output delivered unsealed, for everybody to read if it is posted"),
		sealTo:  hexHash(set, "seal-to", "X25519 `key` that the output is sealed to (default one of this home)"),
		accept:  set.Duration("accept-within", time.Hour, "how `long` a miner may take to accept"),
		finish:  set.Duration("done-within", 24*time.Hour, "how `long` from now until the result is due"),
		from:    jobFrom(set, "client"),
	}
	set.Func("miner", "only this miner, by its `address`; may be repeated", func(s string) error {
		a, err := address("job create", s)
		f.miners = append(f.miners, a)
		return err
	})
	return f
}

func (c *call) createJob(ctx context.Context, f *orderFlags) error {
	const command = "job create"
	switch {
	case !f.fee.given:
		return usagef(command, "--fee is missing")
	case *f.open && *f.sealTo != (common.Hash{}):
		return usagef(command, "--open and --seal-to exclude each other")
	case *f.finish < *f.accept:
		return usagef(command, "--done-within %s ends before --accept-within %s", *f.finish, *f.accept)
	}
	spec, err := os.ReadFile(c.args[0])
	if err != nil {
		return err
	}
	if len(spec) == 0 || *f.publish && len(spec) > maxSpec {
		return usagef(command, "%s has %d bytes: want from 1, and to publish up to %d", printable(c.args[0]), len(spec), maxSpec)
	}
	s, err := c.signer(command, *f.from)
	if err != nil {
		return err
	}
	o := predeploy.JobOrder{Spec: crypto.Keccak256Hash(spec), Model: *f.model, SealTo: *f.sealTo, Miners: f.miners, Fee: f.fee.value}
	if *f.class != "" {
		o.Class = receipt.Class(*f.class)
	}
	if *f.publish {
		o.Document = spec
	}
	if !*f.open && o.SealTo == (common.Hash{}) {
		if o.SealTo, err = c.ownSealingKey(); err != nil {
			return err
		}
	}
	h, err := newest(ctx, s.chain)
	if err != nil {
		return err
	}
	if o.AcceptBy, err = h.within(*f.accept); err != nil {
		return usagef(command, "--accept-within: %v", err)
	}
	if o.Deadline, err = h.within(*f.finish); err != nil {
		return usagef(command, "--done-within: %v", err)
	}
	c.sending(s, "ordering a job for at most "+o.Fee.Coins())
	id, r, err := predeploy.NewMarket(s.chain).CreateJob(ctx, s.sender, o)
	if err != nil {
		return err
	}
	return c.printActed(ctx, s, r, id)
}

// sealingKeyFile holds the private X25519 key that outputs of this home's jobs are sealed to.
func sealingKeyFile(d home.Dir) string { return filepath.Join(d.Secrets(), "job-sealing.key") }

// sealingKey reads the home's private sealing key.
func (c *call) sealingKey() ([32]byte, error) {
	d, err := c.home()
	if err != nil {
		return [32]byte{}, err
	}
	text, err := secret.ReadFile(sealingKeyFile(d))
	if err != nil {
		return [32]byte{}, err
	}
	raw, err := hex.DecodeString(text.Reveal())
	if err != nil || len(raw) != 32 {
		return [32]byte{}, fmt.Errorf("%s does not hold 64 hex digits", sealingKeyFile(d))
	}
	return [32]byte(raw), nil
}

// ownSealingKey returns the home's public sealing key, which is made when it is first asked for.
func (c *call) ownSealingKey() (common.Hash, error) {
	key, err := c.sealingKey()
	if err == nil {
		return receipt.SealingKey(key)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return common.Hash{}, err
	}
	d, err := c.home()
	if err != nil {
		return common.Hash{}, err
	}
	if err := home.Make(d.Secrets()); err != nil {
		return common.Hash{}, err
	}
	made, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return common.Hash{}, fmt.Errorf("make a sealing key: %w", err)
	}
	if err := secret.WriteFile(sealingKeyFile(d), secret.New(hex.EncodeToString(made.Bytes()))); err != nil {
		return common.Hash{}, err
	}
	return common.Hash(made.PublicKey().Bytes()), nil
}

// jobFilter are the flags of aitbc job list.
type jobFilter struct {
	last         *uint64
	state, whose *string
}

func jobFilterFlags(set *flag.FlagSet) *jobFilter {
	return &jobFilter{
		last:  set.Uint64("last", 20, "look at the newest `N` jobs"),
		state: set.String("state", "", "only jobs in this `state`: open, accepted, submitted, challenged, paid or refunded"),
		whose: set.String("of", "", "only jobs that this `account` ordered or accepted"),
	}
}

// jobLine is a job as the commands print it. Times are seconds since 1970.
type jobLine struct {
	Job         uint64         `json:"job"`
	State       string         `json:"state"`
	Client      common.Address `json:"client"`
	Miner       common.Address `json:"miner"`
	Fee         market.Amount  `json:"fee"`
	Price       market.Amount  `json:"price"`
	Bond        market.Amount  `json:"bond"`
	DueAt       uint64         `json:"due_at"`
	AcceptBy    uint64         `json:"accept_by"`
	Deadline    uint64         `json:"deadline"`
	Spec        common.Hash    `json:"spec"`
	Model       common.Hash    `json:"model"`
	Class       common.Hash    `json:"class"`
	SealTo      common.Hash    `json:"seal_to"`
	Receipt     common.Hash    `json:"receipt"`
	Delivery    common.Hash    `json:"delivery"`
	CallbackGas uint32         `json:"callback_gas"`
	Level       uint8          `json:"level"`
}

func lineOf(id uint64, j predeploy.Job) jobLine {
	return jobLine{
		Job: id, State: j.State.String(), Client: j.Client, Miner: j.Miner, Fee: j.Fee, Price: j.Price, Bond: j.Bond, DueAt: j.DueAt,
		AcceptBy: j.AcceptBy, Deadline: j.Deadline, Spec: j.Spec, Model: j.Model, Class: j.Class, SealTo: j.SealTo,
		Receipt: j.Receipt, Delivery: j.Delivery, CallbackGas: j.CallbackGas, Level: j.Level,
	}
}
