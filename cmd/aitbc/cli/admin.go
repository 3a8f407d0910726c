package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/cmd/aitbc/devnet"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
)

// envAdminKey names an admin's key.
const envAdminKey = "AITBC_ADMIN_KEY"

func coordinatorAdminCommand() command {
	listed := func(name, short string, run func(ctx context.Context, c *call, a client.Admin, account common.Address, last int) error) command {
		return command{name: name, short: short, setup: func(fs *flag.FlagSet) runner {
			of := fs.String("account", "", "`address` of whom to show alone")
			last := fs.Int("last", 100, "how many to show")
			return func(ctx context.Context, c *call) error {
				var account common.Address
				if *of != "" {
					var err error
					if account, err = address("coordinator admin "+name, *of); err != nil {
						return err
					}
				}
				a, err := c.admin()
				if err != nil {
					return err
				}
				return run(ctx, c, a, account, *last)
			}
		}}
	}
	return command{name: "admin", short: "look after a running coordinator", subs: []command{
		{
			name: "login", short: "make an admin key, and keep it in HOME/secrets/admin.key",
			setup: func(fs *flag.FlagSet) runner {
				from := fs.String("from", "", "`address` of an admin (default the home's coordinator)")
				life := fs.Duration("for", 12*time.Hour, "how `long` the key lives")
				return func(ctx context.Context, c *call) error { return c.adminLogin(ctx, *from, *life) }
			},
		},
		{name: "accounts", short: "list the accounts that have sessions", setup: plainAdmin(adminAccounts)},
		listed("keys", "list API keys, the newest first", func(ctx context.Context, c *call, a client.Admin, account common.Address, last int) error {
			keys, err := a.Keys(ctx, account, last)
			if err != nil {
				return err
			}
			return c.printKeys(keys)
		}),
		{name: "revoke", args: "KEY-ID", short: "make anybody's API key worthless", min: 1, max: 1, setup: plainAdmin(adminRevoke)},
		{name: "miners", short: "list the miners with their accounts", setup: plainAdmin(adminMiners)},
		{
			name: "hold", args: "MINER drain|block|none", short: "give a miner no new work, or do not let it in, or neither", min: 2, max: 2,
			setup: plainAdmin(adminHold),
		},
		{
			name: "jobs", short: "list open jobs, or the newest of a session, without their content",
			setup: func(fs *flag.FlagSet) runner {
				session := fs.Uint64("session", 0, "`session` whose jobs to show")
				last := fs.Int("last", 100, "how many to show")
				return func(ctx context.Context, c *call) error { return c.adminJobs(ctx, *session, *last) }
			},
		},
		{name: "ledger", short: "show the books, added up", setup: plainAdmin(adminLedger)},
		{name: "reconcile", short: "compare ledger and chain now", setup: plainAdmin(adminReconcile)},
		listed("log", "show the audit log, the newest record first", func(ctx context.Context, c *call, a client.Admin, account common.Address, last int) error {
			list, err := a.Audit(ctx, account, last)
			if err != nil {
				return err
			}
			return c.printRecords(list)
		}),
	}}
}

// plainAdmin is the setup of a command without flags.
func plainAdmin(run func(context.Context, *call, client.Admin) error) func(*flag.FlagSet) runner {
	return func(*flag.FlagSet) runner {
		return func(ctx context.Context, c *call) error {
			a, err := c.admin()
			if err != nil {
				return err
			}
			return run(ctx, c, a)
		}
	}
}

func adminKeyFile(n devnet.Network) string { return filepath.Join(n.Home.Secrets(), "admin.key") }

// admin returns a client with the admin key.
func (c *call) admin() (client.Admin, error) {
	n, err := c.network()
	if err != nil {
		return client.Admin{}, err
	}
	key := secret.New(c.Getenv(envAdminKey))
	if key.Empty() || c.pinned() {
		if key, err = secret.ReadFile(adminKeyFile(n)); errors.Is(err, fs.ErrNotExist) {
			return client.Admin{}, hint(errors.New("there is no admin key"), "aitbc coordinator admin login makes one")
		} else if err != nil {
			return client.Admin{}, err
		}
	}
	base, err := c.url(envAPIURL, devnet.Network.APIURL)
	if err != nil {
		return client.Admin{}, err
	}
	remote, err := client.New(base, key)
	if err != nil {
		return client.Admin{}, err
	}
	return remote.Admin(), nil
}

func (c *call) adminLogin(ctx context.Context, from string, life time.Duration) error {
	if life < time.Second {
		return usagef("coordinator admin login", "--for %s: want a second or more", life)
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	a := n.Coordinator
	if from != "" {
		if a, err = address("coordinator admin login", from); err != nil {
			return err
		}
	}
	remote, err := c.signedIn(ctx, a)
	if err != nil {
		return err
	}
	k, err := remote.CreateKey(ctx, api.CreateKeyRequest{Scope: "admin", Name: "aitbc coordinator admin", ExpiresInSeconds: uint64(life.Seconds())})
	if err != nil {
		return err
	}
	if err := home.Make(n.Home.Secrets()); err != nil {
		return err
	}
	return c.keepKey(k, adminKeyFile(n))
}

func adminAccounts(ctx context.Context, c *call, a client.Admin) error {
	list, err := a.Accounts(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(append([]api.AdminAccount{}, list...))
	}
	t := newTable(c.Stdout)
	t.row("ACCOUNT", "SESSIONS", "OPEN", "DEPOSIT", "RESERVED", "CHARGED")
	for _, x := range list {
		t.row(x.Account.Hex(), x.Sessions, x.OpenSessions, x.Deposit.Coins(), x.Reserved.Coins(), x.Charged.Coins())
	}
	return t.flush()
}

func adminRevoke(ctx context.Context, c *call, a client.Admin) error {
	id, err := hash("coordinator admin revoke", "key", c.args[0])
	if err != nil {
		return err
	}
	return c.revoked(id, a.Revoke(ctx, id))
}

func adminMiners(ctx context.Context, c *call, a client.Admin) error {
	list, err := a.Miners(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(append([]api.AdminMiner{}, list...))
	}
	t := newTable(c.Stdout)
	t.row("MINER", "STATE", "HOLD", "SLOTS", "JOBS", "EARNED", "CREDITED")
	for _, m := range list {
		t.row(m.Miner.Miner.Hex(), m.State, m.Hold, m.Slots, m.Completed, m.Earned.Coins(), m.Credited.Coins())
	}
	return t.flush()
}

func adminHold(ctx context.Context, c *call, a client.Admin) error {
	miner, err := address("coordinator admin hold", c.args[0])
	if err != nil {
		return err
	}
	if err := a.Hold(ctx, miner, c.args[1]); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]any{"miner": miner, "hold": c.args[1]})
	}
	_, err = fmt.Fprintf(c.Stdout, "miner %s: hold %s\n", miner.Hex(), c.args[1])
	return err
}

func (c *call) adminJobs(ctx context.Context, session uint64, last int) error {
	a, err := c.admin()
	if err != nil {
		return err
	}
	list, err := a.Jobs(ctx, session, last)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(append([]api.AdminJob{}, list...))
	}
	t := newTable(c.Stdout)
	t.row("JOB", "SESSION", "STATE", "PAYMENT", "MODEL", "MOST", "PRICE", "MADE")
	for _, j := range list {
		t.row(j.JobID.Hex(), j.Session, j.State, j.Payment, printable(j.Model), j.MaxPrice.Coins(), j.Price.Coins(), clock(j.CreatedAt))
	}
	return t.flush()
}

func adminLedger(ctx context.Context, c *call, a client.Admin) error {
	x, err := a.Ledger(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(x)
	}
	t := newTable(c.Stdout)
	t.row("sessions", fmt.Sprintf("%d, %d open", x.Sessions, x.OpenSessions))
	t.row("deposits", x.Deposit.Coins())
	t.row("reserved", x.Reserved.Coins())
	t.row("charged", x.Charged.Coins())
	t.row("settled", x.Settled.Coins())
	t.row("unsettled", x.Unsettled.Coins())
	t.row("miners", x.Miners)
	t.row("earned", x.Earned.Coins())
	t.row("credited", x.Credited.Coins())
	t.row("owed", x.Owed.Coins())
	t.row("open batches", x.OpenBatches)
	return t.flush()
}

func adminReconcile(ctx context.Context, c *call, a client.Admin) error {
	var out coordinator.Reconciliation
	if err := a.Reconcile(ctx, &out); err != nil {
		return err
	}
	return c.printReconciliation(&out)
}
