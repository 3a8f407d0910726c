package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
)

func sessionKeyCommand() command {
	return command{
		name: "key", args: "[--scope read] [--budget AITBC] …", short: "make an API key with limits",
		long: `The wallet logs in to the coordinator by EIP-4361 and makes a key of the account.
The key is printed once, or written to --file. Its budget is hard: what a job may
cost at most is reserved in it before the job runs.`,
		setup: func(fs *flag.FlagSet) runner {
			var r api.CreateKeyRequest
			fs.StringVar(&r.Scope, "scope", "client", "client, or read to order nothing")
			fs.StringVar(&r.Name, "name", "", "what to call it")
			fs.Uint64Var(&r.Session, "session", 0, "`session` that it spends from (default the newest that is open)")
			total, day, month := amountFlag(fs, "budget", "most that its jobs may cost, in `AITBC`"), amountFlag(fs, "budget-day", "most in a UTC day, in `AITBC`"), amountFlag(fs, "budget-month", "most in a UTC month, in `AITBC`")
			rate := fs.Uint("rate", 0, "most `requests` a minute")
			life := fs.Duration("for", 0, "how `long` it lives (default for ever)")
			from := fs.String("from", "", "`address` of the account (default the home's client)")
			file := fs.String("file", "", "`file` to write the key to, readable by you alone")
			return func(ctx context.Context, c *call) error {
				if *life < 0 || *life > 0 && *life < time.Second {
					return usagef("session key", "--for %s: want a second or more", *life)
				}
				if *rate > 1<<30 {
					return usagef("session key", "--rate %d is too large", *rate)
				}
				r.ExpiresInSeconds, r.RatePerMinute = uint64(life.Seconds()), uint32(*rate)
				if total.given || day.given || month.given {
					r.Budget = &api.Budget{Total: total.value, Day: day.value, Month: month.value}
				}
				return c.makeAPIKey(ctx, r, *from, *file)
			}
		},
	}
}

func sessionKeysCommand() command {
	return command{
		name: "keys", short: "list the API keys of your account",
		long: "A key itself cannot be shown again: its id names it to be revoked.",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error { return c.listAPIKeys(ctx) }
		},
	}
}

func sessionRevokeCommand() command {
	return command{
		name: "revoke", args: "KEY-ID", short: "make an API key worthless", min: 1, max: 1,
		long: "Jobs that it ordered go on; aitbc session open or the wallet gives a new key.",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error { return c.revokeAPIKey(ctx) }
		},
	}
}

func sessionLogCommand() command {
	return command{
		name: "log", short: "show what was done about your account",
		setup: func(fs *flag.FlagSet) runner {
			last := fs.Int("last", 100, "how many records to show")
			return func(ctx context.Context, c *call) error {
				remote, err := c.account()
				if err != nil {
					return err
				}
				list, err := remote.Audit(ctx, *last)
				if err != nil {
					return err
				}
				return c.printRecords(list)
			}
		},
	}
}

func (c *call) makeAPIKey(ctx context.Context, r api.CreateKeyRequest, from, file string) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	a := n.Client
	if from != "" {
		if a, err = address("session key", from); err != nil {
			return err
		}
	}
	remote, err := c.signedIn(ctx, a)
	if err != nil {
		return err
	}
	k, err := remote.CreateKey(ctx, r)
	if err != nil {
		return err
	}
	return c.keepKey(k, file)
}

// signedIn logs in with an account's key.
func (c *call) signedIn(ctx context.Context, a common.Address) (*client.Client, error) {
	if a == (common.Address{}) {
		return nil, hint(errors.New("this home has no such account"), "name the account with --from; aitbc keys create makes one")
	}
	key, err := c.unlock(a)
	if err != nil {
		return nil, err
	}
	remote, err := c.api()
	if err != nil {
		return nil, err
	}
	return remote.SignedIn(ctx, key)
}

// keepKey writes a new key to a file, or prints it.
func (c *call) keepKey(k api.CreateKeyResponse, file string) error {
	if file == "" {
		if c.json {
			return c.printJSON(k)
		}
		_, err := fmt.Fprintln(c.Stdout, k.APIKey)
		return err
	}
	if err := secret.WriteFile(file, secret.New(k.APIKey)); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(struct {
			api.Key

			File string `json:"key_file"`
		}{k.Key, file})
	}
	_, err := fmt.Fprintf(c.Stdout, "key %s is in %s\n", k.ID.Hex(), file)
	return err
}

func (c *call) listAPIKeys(ctx context.Context) error {
	remote, err := c.account()
	if err != nil {
		return err
	}
	keys, err := remote.Keys(ctx)
	if err != nil {
		return err
	}
	return c.printKeys(keys)
}

func (c *call) printKeys(keys []api.Key) error {
	if c.json {
		return c.printJSON(append([]api.Key{}, keys...))
	}
	t := newTable(c.Stdout)
	t.row("KEY ID", "SCOPE", "SESSION", "MADE", "BUDGET", "")
	for _, k := range keys {
		var notes []string
		if k.Account != nil {
			notes = append(notes, "of "+k.Account.Hex())
		}
		if k.Name != "" {
			notes = append(notes, printable(k.Name))
		}
		if k.ExpiresAt != 0 {
			notes = append(notes, "until "+clock(k.ExpiresAt))
		}
		if k.RatePerMinute != 0 {
			notes = append(notes, fmt.Sprintf("%d/min", k.RatePerMinute))
		}
		if k.Current {
			notes = append(notes, "in use here")
		}
		t.row(k.ID.Hex(), k.Scope, k.Session, clock(k.CreatedAt), budgetText(k), strings.Join(notes, ", "))
	}
	return t.flush()
}

// budgetText says what of a key's budgets is spent.
func budgetText(k api.Key) string {
	if k.Budget == nil || k.Spent == nil {
		return ""
	}
	var out []string
	for _, x := range []struct {
		of           string
		spent, limit market.Amount
	}{{"", k.Spent.Total, k.Budget.Total}, {" a day", k.Spent.Day, k.Budget.Day}, {" a month", k.Spent.Month, k.Budget.Month}} {
		if !x.limit.IsZero() {
			out = append(out, x.spent.Coins()+" of "+x.limit.Coins()+x.of)
		}
	}
	return strings.Join(out, ", ")
}

func (c *call) revokeAPIKey(ctx context.Context) error {
	id, err := hash("session revoke", "key", c.args[0])
	if err != nil {
		return err
	}
	remote, err := c.account()
	if err != nil {
		return err
	}
	return c.revoked(id, remote.RevokeKey(ctx, id))
}

func (c *call) revoked(id common.Hash, err error) error {
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]string{"revoked": id.Hex()})
	}
	_, err = fmt.Fprintln(c.Stdout, "revoked", id.Hex())
	return err
}

func (c *call) printRecords(list []api.AuditRecord) error {
	if c.json {
		return c.printJSON(append([]api.AuditRecord{}, list...))
	}
	t := newTable(c.Stdout)
	t.row("N", "WHEN", "WHAT", "OF WHAT", "BY", "WITH", "")
	for _, r := range list {
		t.row(r.N, clock(r.At), r.Action, r.Subject, r.Actor.Hex(), r.Via, r.Detail)
	}
	return t.flush()
}
