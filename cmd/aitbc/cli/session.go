package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
)

func accountCommand() command {
	return command{
		name: "account", short: "show the session that your API key spends from",
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				_, a, err := c.current(ctx)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(a)
				}
				t := newTable(c.Stdout)
				t.row("client", a.Client.Hex())
				t.row("session", fmt.Sprintf("%d, %s until %s", a.Session, a.State, clock(int64(a.Expiry)*1000))) //nolint:gosec // a date
				t.row("deposit", a.Deposit.Coins())
				t.row("charged", a.Charged.Coins())
				t.row("reserved", a.Reserved.Coins())
				t.row("available", a.Available.Coins())
				t.row("paid on chain", a.Debited.Coins())
				t.row("orders", fmt.Sprintf("%d, signed by %s", a.Orders, signedBy(a.Mode)))
				if a.Vouchers != nil {
					t.row("voucher due", fmt.Sprintf("%s, for orders up to %d", a.Vouchers.Due.Cumulative.Coins(), a.Vouchers.Due.Through))
				}
				return t.flush()
			}
		},
	}
}

func sessionCommand() command {
	return command{name: "session", short: "lock a deposit, renew or close a session, or look at one", subs: []command{
		{
			name: "open", args: "--deposit AITBC", short: "lock a deposit and store the API key that spends it",
			long: `The deposit is the most that the session can cost. What is left comes back by
itself after the session has expired or was closed.`,
			setup: func(fs *flag.FlagSet) runner {
				deposit := amountFlag(fs, "deposit", "what to lock, in `AITBC`")
				from := fs.String("from", "", "`address` of the account that pays (default the home's client)")
				life := fs.Duration("for", 0, "how `long` the session lasts (default as long as the coordinator allows)")
				self := fs.Bool("self", false, "sign orders and vouchers here, with a new key of the keystore that the coordinator never has")
				return func(ctx context.Context, c *call) error {
					if !deposit.given {
						return usagef("session open", "--deposit is missing")
					}
					return c.openSession(ctx, opening{deposit: deposit.value, from: *from, life: *life, self: *self})
				}
			},
		},
		{
			name: "renew", short: "open the next session like the one in use, and use that",
			long: `What is left in the old one comes back by itself after its expiry; aitbc session
close OLD hurries that.`,
			setup: func(fs *flag.FlagSet) runner {
				deposit := amountFlag(fs, "deposit", "what to lock, in `AITBC` (default as much as before)")
				return func(ctx context.Context, c *call) error { return c.renewSession(ctx, *deposit) }
			},
		},
		{
			name: "topup", args: "[SESSION] --amount AITBC", short: "add to the deposit of a session", max: 1,
			setup: func(fs *flag.FlagSet) runner {
				amount := amountFlag(fs, "amount", "what to add, in `AITBC`")
				from := fs.String("from", "", "`address` of the account that pays, anybody's (default the home's client)")
				return func(ctx context.Context, c *call) error { return c.topUp(ctx, *amount, *from) }
			},
		},
		{
			name: "list", short: "list the sessions of your account with this coordinator",
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.listSessions(ctx) }
			},
		},
		{
			name: "use", args: "SESSION", short: "get a new API key for a session, and use that", min: 1, max: 1,
			setup: func(fs *flag.FlagSet) runner {
				from := fs.String("from", "", "`address` of the account that opened it (default the home's client)")
				return func(ctx context.Context, c *call) error { return c.useSession(ctx, *from) }
			},
		},
		{
			name: "voucher", short: "sign for the orders of a session opened with --self that have ended",
			long: `Adds up their receipts, checks each, and signs if the coordinator has the same
sum. aitbc submit does so itself when it waits for the answer.`,
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.signVoucher(ctx) }
			},
		},
		{
			name: "close", args: "[SESSION]", short: "start the close window of a session", max: 1,
			setup: func(fs *flag.FlagSet) runner {
				from := fs.String("from", "", "`address` of the account that opened it (default the home's client)")
				return func(ctx context.Context, c *call) error { return c.closeSession(ctx, *from) }
			},
		},
		{
			name: "show", args: "[SESSION]", short: "show a session as the chain has it", max: 1,
			setup: func(*flag.FlagSet) runner {
				return func(ctx context.Context, c *call) error { return c.showSession(ctx) }
			},
		},
		sessionKeyCommand(), sessionKeysCommand(), sessionRevokeCommand(), sessionLogCommand(),
	}}
}

// payer is the account named by --from, else the home's client.
func (c *call) payer(from string) (client.Wallet, error) {
	n, err := c.network()
	if err != nil {
		return client.Wallet{}, err
	}
	a := n.Client
	if from != "" {
		if a, err = address("session", from); err != nil {
			return client.Wallet{}, err
		}
	}
	if a == (common.Address{}) {
		return client.Wallet{}, hint(errors.New("this home has no client account"), "name the account that pays with --from; aitbc keys create makes one")
	}
	key, err := c.unlock(a)
	if err != nil {
		return client.Wallet{}, err
	}
	eth, err := c.chain()
	if err != nil {
		return client.Wallet{}, err
	}
	remote, err := c.api()
	if err != nil {
		return client.Wallet{}, err
	}
	return client.Wallet{Coordinator: remote, Chain: eth, Key: key}, nil
}

// sessionID is the argument, else the session of the API key.
func (c *call) sessionID(ctx context.Context) (uint64, error) {
	if len(c.args) > 0 {
		id, err := strconv.ParseUint(c.args[0], 10, 64)
		if err != nil || id == 0 {
			return 0, usagef("session", "session %q is not a number from 1", printable(c.args[0]))
		}
		return id, nil
	}
	remote, err := c.account()
	if err != nil {
		return 0, err
	}
	a, err := remote.Account(ctx)
	return a.Session, err
}

func (c *call) closeSession(ctx context.Context, from string) error {
	id, err := c.sessionID(ctx)
	if err != nil {
		return err
	}
	w, err := c.payer(from)
	if err != nil {
		return err
	}
	if err := w.Close(ctx, id); err != nil {
		return err
	}
	return c.printSession(ctx, id)
}

func (c *call) showSession(ctx context.Context) error {
	id, err := c.sessionID(ctx)
	if err != nil {
		return err
	}
	return c.printSession(ctx, id)
}

func (c *call) printSession(ctx context.Context, id uint64) error {
	eth, err := c.chain()
	if err != nil {
		return err
	}
	s, err := predeploy.NewMarket(eth).Session(ctx, id, chainclient.Latest)
	if err != nil {
		return err
	}
	states := map[predeploy.SessionState]string{
		predeploy.StateOpen: "open", predeploy.StateClosing: "closing", predeploy.StateClosed: "closed",
	}
	state, ok := states[s.State]
	if !ok {
		return fmt.Errorf("there is no session %d", id)
	}
	if c.json {
		return c.printJSON(map[string]any{
			"session": id, "state": state, "client": s.Client, "coordinator": s.Coordinator, "spender": s.Spender,
			"deposit": s.Deposit, "debited": s.Debited, "through": s.Through, "fee_bps": s.FeeBps, "expiry": s.Expiry, "due_at": s.DueAt,
		})
	}
	t := newTable(c.Stdout)
	t.row("session", id)
	t.row("state", state)
	t.row("client", s.Client.Hex())
	t.row("coordinator", s.Coordinator.Hex())
	t.row("spender", s.Spender.Hex())
	t.row("deposit", s.Deposit.Coins())
	t.row("paid on chain", fmt.Sprintf("%s, for orders up to %d", s.Debited.Coins(), s.Through))
	t.row("expires", clock(int64(s.Expiry)*1000)) //nolint:gosec // a date
	if s.State == predeploy.StateClosing {
		t.row("refund due", clock(int64(s.DueAt)*1000)) //nolint:gosec // a date
	}
	return t.flush()
}
