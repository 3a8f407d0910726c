package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/aitbc/aitbc/receipt"
)

// maxBundles bounds what verify reads.
const maxBundles = 64 << 20

func verifyCommand() command {
	return command{
		name: "verify", args: "FILE|-", short: "check a receipt bundle without a network", min: 1, max: 1,
		long: `Checks signatures, price, inclusion in a block, the block's validators and the
parties' keys, and fails with the name of the first check that does not hold.
What it trusts is the genesis of --home, or --trust FILE (aitbc trust writes
one), never the bundle itself. An array of bundles is taken as well: all must hold.`,
		setup: func(fs *flag.FlagSet) runner {
			trust := fs.String("trust", "", "`file` with what to trust instead of the home's genesis")
			return func(_ context.Context, c *call) error { return c.verify(*trust) }
		},
	}
}

// verdict is what verify --json prints, one for each bundle.
type verdict struct {
	OK     bool            `json:"ok"`
	Failed string          `json:"failed,omitempty"` // name of the first check that does not hold
	Error  string          `json:"error,omitempty"`
	Note   string          `json:"note,omitempty"`
	Checks []receipt.Check `json:"checks"`
}

func (c *call) verify(trustFile string) error {
	raw, err := c.readInput(c.args[0])
	if err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	trust, err := c.trust(trustFile)
	if err != nil {
		return err
	}
	bundles, array, err := split(raw)
	if err != nil {
		return fmt.Errorf("the receipt does not hold: check %q failed: %w", receipt.CheckFormat, err)
	}
	c.progress("aitbc: trusting chain %d with validators %s at height %d", trust.ChainID, shortHash(trust.ValidatorsHash), trust.Height)
	var verdicts []verdict
	var failed error
	for i, b := range bundles {
		v, err := judge(b, trust)
		if err != nil && array {
			err = fmt.Errorf("receipt %d: %w", i+1, err)
		}
		verdicts = append(verdicts, v)
		failed = errors.Join(failed, err)
		if !c.json {
			if err := c.printChecks(v); err != nil {
				return err
			}
		}
	}
	if c.json {
		var out any = verdicts
		if !array {
			out = verdicts[0]
		}
		if err := c.printJSON(out); err != nil {
			return err
		}
	}
	if failed != nil {
		return hint(failed, "do not rely on this receipt; fetch it again with aitbc receipts --json, and check --home or --trust")
	}
	return nil
}

// readInput reads a file, or standard input for "-".
func (c *call) readInput(name string) ([]byte, error) {
	if name != "-" {
		return readBounded(name)
	}
	b, err := io.ReadAll(io.LimitReader(c.Stdin, maxBundles+1))
	if err == nil && len(b) > maxBundles {
		err = fmt.Errorf("more than %d bytes", maxBundles)
	}
	return b, err
}

// split takes an array of bundles apart. The bytes of each are kept.
func split(raw []byte) (bundles [][]byte, array bool, err error) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return [][]byte{raw}, false, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(trimmed, &list); err != nil {
		return nil, true, err
	}
	if len(list) == 0 {
		return nil, true, errors.New("the array holds no receipt")
	}
	return asBytes(list), true, nil
}

func judge(bundle []byte, trust receipt.Trust) (verdict, error) {
	r, err := receipt.VerifyBundle(bundle, trust)
	v := verdict{OK: err == nil, Checks: []receipt.Check{}}
	if r != nil {
		v.Checks = r.Checks
	}
	if r != nil && r.Claimed {
		v.Note = "model claimed, not shown"
	}
	if e, ok := errors.AsType[*receipt.VerifyError](err); ok {
		v.Failed = e.Check
		err = fmt.Errorf("the receipt does not hold: check %q failed: %w", e.Check, e.Unwrap())
	}
	if err != nil {
		v.Error = err.Error()
	}
	return v, err
}

func (c *call) printChecks(v verdict) error {
	t := newTable(c.Stdout)
	for _, k := range v.Checks {
		mark := "ok"
		if !k.OK {
			mark = "FAILED"
		}
		t.row(mark, k.Name, k.Detail)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if v.OK {
		fmt.Fprintln(c.Stdout, "all holds")
	}
	if v.Note != "" {
		fmt.Fprintln(c.Stdout, v.Note)
	}
	return nil
}
