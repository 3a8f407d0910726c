package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/journal"
	"github.com/aitbc/aitbc/wallet/vault"
)

type walletRun = func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) error

func walletPolicyCommand() command {
	return managed("policy", "show or change what a wallet may sign",
		`Without flags it shows the policy of an unlocked wallet. A flag changes that one rule:
what tightens holds at once, what loosens after the delay of the policy that holds.
An amount of "none" removes a limit.`,
		func(fs *flag.FlagSet) walletRun {
			var f policyFlags
			f.declare(fs)
			code := proofFlags(fs)
			return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) error {
				var now walletapi.PolicyResponse
				path := "/v1/wallet/" + x.ID + "/policy"
				if err := w.ask(ctx, path, nil, &now); err != nil {
					return err
				}
				if len(f.changes) == 0 {
					return c.printPolicy(now)
				}
				in := walletapi.PolicyRequest{Policy: now.Policy}
				if now.Next != nil {
					in.Policy = *now.Next
				}
				for _, change := range f.changes {
					change(&in.Policy)
				}
				var err error
				if in.Proof, err = c.proof(*code); err != nil {
					return err
				}
				if err := w.send(ctx, http.MethodPut, path, in, &now); err != nil {
					return err
				}
				return c.printPolicy(now)
			}
		})
}

// policyFlags collects the rules that flags change.
type policyFlags struct {
	changes []func(*walletapi.Policy)
}

func (f *policyFlags) declare(fs *flag.FlagSet) {
	limit := func(name, usage string, at func(*walletapi.Policy) **market.Amount) {
		fs.Func(name, usage, func(s string) error {
			var limit *market.Amount
			if s != "none" {
				a, err := market.ParseCoins(s)
				if err != nil {
					return err
				}
				limit = &a
			}
			f.changes = append(f.changes, func(p *walletapi.Policy) { *at(p) = limit })
			return nil
		})
	}
	limit("per-transaction", "most that one signature may be worth, in `AITBC`", func(p *walletapi.Policy) **market.Amount { return &p.PerTransaction })
	limit("per-day", "most in a UTC day, in `AITBC`", func(p *walletapi.Policy) **market.Amount { return &p.PerDay })
	limit("second-factor-above", "ask for a code above, in `AITBC`", func(p *walletapi.Policy) **market.Amount { return &p.SecondFactorAbove })
	fs.Func("allow", "add `ADDRESS[=NAME]` to the allow-list", func(s string) error {
		text, name, _ := strings.Cut(s, "=")
		if !common.IsHexAddress(text) || len(text) != 42 {
			return errors.New("want ADDRESS or ADDRESS=NAME")
		}
		a := common.HexToAddress(text)
		f.changes = append(f.changes, func(p *walletapi.Policy) {
			p.Allow = append(without(p.Allow, a), walletapi.Receiver{Address: a, Name: name})
		})
		return nil
	})
	fs.Func("disallow", "take `ADDRESS` from the allow-list", func(s string) error {
		if !common.IsHexAddress(s) || len(s) != 42 {
			return errors.New("want an address")
		}
		a := common.HexToAddress(s)
		f.changes = append(f.changes, func(p *walletapi.Policy) { p.Allow = without(p.Allow, a) })
		return nil
	})
	toggle := func(name, usage string, at func(*walletapi.Policy) *bool) {
		fs.BoolFunc(name, usage, func(s string) error {
			on, err := strconv.ParseBool(s)
			if err == nil {
				f.changes = append(f.changes, func(p *walletapi.Policy) { *at(p) = on })
			}
			return err
		})
	}
	toggle("allow-only", "sign for those of the allow-list alone", func(p *walletapi.Policy) *bool { return &p.AllowOnly })
	toggle("blind-calls", "sign calls that cannot be decoded", func(p *walletapi.Policy) *bool { return &p.BlindCalls })
	fs.Func("delay", "how `long` what loosens has to wait", func(s string) error {
		d, err := time.ParseDuration(s)
		if err == nil {
			f.changes = append(f.changes, func(p *walletapi.Policy) { p.DelaySeconds = int64(d.Seconds()) })
		}
		return err
	})
}

func without(list []walletapi.Receiver, a common.Address) (out []walletapi.Receiver) {
	for _, r := range list {
		if r.Address != a {
			out = append(out, r)
		}
	}
	return out
}

func (c *call) printPolicy(p walletapi.PolicyResponse) error {
	if c.json {
		return c.printJSON(p)
	}
	t := newTable(c.Stdout)
	show := func(p walletapi.Policy) {
		amount := func(a *market.Amount) string {
			if a == nil {
				return "none"
			}
			return a.Coins()
		}
		t.row("per transaction", amount(p.PerTransaction))
		t.row("per day", amount(p.PerDay))
		t.row("second factor above", amount(p.SecondFactorAbove))
		t.row("allow-list only", p.AllowOnly)
		for _, r := range p.Allow {
			t.row("  "+r.Address.Hex(), r.Name)
		}
		t.row("delay", time.Duration(p.DelaySeconds)*time.Second)
		t.row("blind calls", p.BlindCalls)
	}
	show(p.Policy)
	t.row("spent today", p.SpentToday.Coins())
	if p.Next != nil {
		t.row("")
		t.row("from "+clock(p.NextAt), "")
		show(*p.Next)
	}
	return t.flush()
}

func walletAuditCommand() command {
	k := managed("show", "show what was done with a wallet, newest first", "", func(fs *flag.FlagSet) walletRun {
		last := fs.Int("last", 20, "how `many`")
		return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) error {
			var out walletapi.AuditResponse
			if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/audit?"+url.Values{"limit": {strconv.Itoa(*last)}}.Encode(), nil, &out); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(out)
			}
			t := newTable(c.Stdout)
			for _, r := range out.Records {
				t.row(r.N, string(r.Record))
			}
			return t.flush()
		}
	})
	return withSubs("audit", k, command{
		name: "verify", args: "WALLET", short: "check that the audit log is a whole chain, without the daemon", min: 1, max: 1,
		setup: func(*flag.FlagSet) runner { return func(_ context.Context, c *call) error { return c.verifyAudit() } },
	})
}

// withSubs is a command that shows something, by itself or by the word show, and
// has further words.
func withSubs(name string, show command, subs ...command) command {
	k := show
	k.name, k.args, k.max, k.subs = name, "", 0, append([]command{show}, subs...)
	return k
}

// verifyAudit reads the log of a wallet of this home, which may be in use.
func (c *call) verifyAudit() error {
	dir, err := c.home()
	if err != nil {
		return err
	}
	headers, err := vault.List(dir.Wallet())
	if err != nil && len(headers) == 0 {
		return err
	}
	for _, h := range headers {
		if h.ID != c.args[0] && h.Name != c.args[0] {
			continue
		}
		head, err := journal.Verify(strings.TrimSuffix(vault.Path(dir.Wallet(), h.ID), ".vault")+".audit", nil)
		if err != nil {
			return hint(err, "records before it are whole; who changed the file is in no log: restore it from a copy")
		}
		if c.json {
			return c.printJSON(struct {
				OK      bool   `json:"ok"`
				Records uint64 `json:"records"`
				Head    string `json:"head"`
			}{true, head.N, head.Hash})
		}
		_, err = fmt.Fprintf(c.Stdout, "%d records are a whole chain, the last is %s\n", head.N, head.Hash)
		return err
	}
	return hint(fmt.Errorf("there is no wallet %q in %s", printable(c.args[0]), dir), "aitbc wallet list shows those there are")
}

func walletPassphraseCommand() command {
	return managed("passphrase", "change a wallet's passphrase", "", func(fs *flag.FlagSet) walletRun {
		code, file := proofFlags(fs), fs.String("new-passphrase-file", "", "`file` with the new one (default asked for)")
		return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) (err error) {
			in := walletapi.PassphraseRequest{}
			if in.Proof, err = c.proof(*code); err != nil {
				return err
			}
			if in.New, err = c.walletPassphrase("The new passphrase.", *file, true); err != nil {
				return err
			}
			if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/passphrase", in, nil); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]bool{"changed": true})
			}
			_, err = fmt.Fprintln(c.Stdout, "changed")
			return err
		}
	})
}

func walletFactorCommand() command {
	one := func(action, short string) command {
		return managed(action, short, "", func(fs *flag.FlagSet) walletRun {
			code := proofFlags(fs)
			return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) (err error) {
				in := walletapi.FactorRequest{Action: action}
				if in.Proof, err = c.proof(*code); err != nil {
					return err
				}
				var out walletapi.FactorResponse
				if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/2fa", in, &out); err != nil {
					return err
				}
				return c.printFactor(out)
			}
		})
	}
	k := managed("show", "show or change a wallet's second factor", "", func(*flag.FlagSet) walletRun {
		return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) error {
			var out walletapi.FactorStatus
			if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/2fa", nil, &out); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(out)
			}
			text := "no second factor"
			switch {
			case out.Locked:
				text = "locked: unlock it to see"
			case out.TOTP:
				text = fmt.Sprintf("authenticator, and %d recovery codes", out.RecoveryCodes)
			}
			_, err := fmt.Fprintln(c.Stdout, text)
			return err
		}
	})
	return withSubs("2fa", k,
		one(walletapi.FactorBegin, "make a secret for an authenticator"),
		one(walletapi.FactorConfirm, "switch it on, with a first --code"),
		one(walletapi.FactorRecovery, "make new recovery codes"),
		one(walletapi.FactorRemove, "remove it"),
	)
}

func (c *call) printFactor(out walletapi.FactorResponse) error {
	if c.json {
		return c.printJSON(out)
	}
	if out.Secret != "" {
		fmt.Fprintf(c.Stdout, "secret: %s\n%s\n\nConfirm it with a code: aitbc wallet 2fa confirm --code CODE\n", out.Secret, out.URI)
	}
	if len(out.RecoveryCodes) > 0 {
		fmt.Fprintf(c.Stdout, "Recovery codes, each for one time. Keep them apart from the authenticator:\n\n  %s\n", strings.Join(out.RecoveryCodes, "\n  "))
	}
	return nil
}
