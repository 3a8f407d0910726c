package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/internal/atomicfile"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
)

func walletUnlockCommand() command {
	return managed("unlock", "unlock a wallet for a while",
		`The capability that the daemon answers is kept in HOME/secrets for the commands after
it, or printed with --print. It may be limited in what it is for, in how much it
may spend, and in time.`,
		func(fs *flag.FlagSet) walletRun {
			scope := fs.String("scope", "", "send, sign, or both with a comma between (default both)")
			amount := amountFlag(fs, "amount", "most that it may spend, in `AITBC`")
			life := fs.Duration("for", 15*time.Minute, "how `long`, at most 24h")
			show := fs.Bool("print", false, "print the capability instead of keeping it")
			code := proofFlags(fs)
			return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) (err error) {
				in := walletapi.UnlockRequest{Wallet: x.ID, Code: *code, ExpiresInSeconds: int64(life.Seconds())}
				if *scope != "" {
					in.Scope = strings.Split(*scope, ",")
				}
				if amount.given {
					in.Amount = &amount.value
				}
				if in.Passphrase, err = c.walletPassphrase("", "", false); err != nil {
					return err
				}
				var out walletapi.UnlockResponse
				if err := w.ask(ctx, "/v1/wallet/unlock", in, &out); err != nil {
					return err
				}
				if !*show {
					if err := home.Make(w.home.Secrets()); err != nil {
						return err
					}
					if err := secret.WriteFile(w.capFile(x.ID), secret.New(out.Capability)); err != nil {
						return err
					}
					out.Capability = ""
				}
				switch {
				case c.json:
					return c.printJSON(out)
				case *show:
					_, err = fmt.Fprintln(c.Stdout, out.Capability)
				default:
					_, err = fmt.Fprintf(c.Stdout, "unlocked until %s for %s\n", clock(out.ExpiresAt), strings.Join(out.Scope, " and "))
				}
				return err
			}
		})
}

func walletLockCommand() command {
	return command{
		name: "lock", args: "[WALLET]", short: "lock a wallet, or all of them", max: 1,
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				w, err := c.wallets()
				if err != nil {
					return err
				}
				var out walletapi.LockResponse
				if err := w.ask(ctx, "/v1/wallet/lock", walletapi.LockRequest{Wallet: c.first()}, &out); err != nil {
					return err
				}
				for _, id := range out.Locked {
					if err := atomicfile.Remove(w.capFile(id)); err != nil {
						return err
					}
				}
				if c.json {
					return c.printJSON(out)
				}
				_, err = fmt.Fprintf(c.Stdout, "locked: %d\n", len(out.Locked))
				return err
			}
		},
	}
}

func walletBalanceCommand() command {
	return managed("balance", "show what a wallet's accounts have", "", func(*flag.FlagSet) walletRun {
		return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) error {
			var out walletapi.BalanceResponse
			if err := w.ask(ctx, "/v1/wallet/balance?wallet="+x.ID, nil, &out); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(out)
			}
			t := newTable(c.Stdout)
			for _, a := range out.Accounts {
				t.row(a.Address.Hex(), a.Balance.Coins())
			}
			return t.flush()
		}
	})
}

func walletSendCommand() command {
	return command{
		name: "send", args: "TO AMOUNT", short: "send coins, or call a contract", min: 2, max: 2,
		long: `AMOUNT is in AITBC. It shows what it does, asks unless --yes is given, and waits
until it is in a block. With --key it may be repeated: the same key sends once.`,
		setup: func(fs *flag.FlagSet) runner {
			which, code := walletFlag(fs), proofFlags(fs)
			from := fs.String("from", "", "`address` of the account (default the wallet's first)")
			data := fs.String("data", "", "`hex` to call a contract with")
			key := fs.String("key", "", "idempotency `key`")
			replaces := fs.String("replaces", "", "`hash` of one that waits, whose number it takes and pays more")
			yes, preview := fs.Bool("yes", false, "do not ask"), fs.Bool("preview", false, "only show what it would do")
			return func(ctx context.Context, c *call) error {
				in := walletapi.SendRequest{Code: *code, WaitSeconds: 50}
				var err error
				if in.To, err = address("wallet send", c.args[0]); err != nil {
					return err
				}
				if in.Amount, err = market.ParseCoins(c.args[1]); err != nil {
					return usagef("wallet send", "%v", err)
				}
				if in.From, err = optionalAddress("wallet send", *from); err != nil {
					return err
				}
				if *replaces != "" {
					h, err := hash("wallet send", "--replaces", *replaces)
					if err != nil {
						return err
					}
					in.Replaces = &h
				}
				if *data != "" {
					if err := in.Data.UnmarshalText([]byte(*data)); err != nil {
						return usagef("wallet send", "--data: %v", err)
					}
				}
				return c.walletSend(ctx, in, *which, *key, *yes, *preview)
			}
		},
	}
}

var errDeclined = errors.New("not sent")

func (c *call) walletSend(ctx context.Context, in walletapi.SendRequest, which, key string, yes, preview bool) error {
	w, err := c.wallets()
	if err != nil {
		return err
	}
	x, err := w.pick(ctx, which)
	if err != nil {
		return err
	}
	header, err := w.capability(x.ID)
	if err != nil {
		return err
	}
	in.Wallet = x.ID
	if key != "" {
		header = append(header, "Idempotency-Key", key)
	}
	var out walletapi.SendResponse
	if preview || !yes {
		look := in
		look.Preview = true
		if err := w.ask(ctx, "/v1/wallet/send", look, &out, header...); err != nil {
			return err
		}
		if preview {
			return c.printIntent(out.Intent, out)
		}
		c.progress("%s, at most %s with its fee", printable(out.Intent.Summary), out.Intent.Worth.Coins())
		if err := c.confirm("Send it?"); err != nil {
			return err
		}
	}
	if err := w.ask(ctx, "/v1/wallet/send", in, &out, header...); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(out)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s %s\n", out.Transaction.Hash, out.Transaction.State)
	return err
}

// confirm asks a person, who must be there.
func (c *call) confirm(question string) error {
	if f, ok := c.Stdin.(*os.File); !ok || !c.Terminal(f) {
		return hint(errDeclined, "nobody can be asked here: --yes does it without asking")
	}
	fmt.Fprintf(c.Stderr, "%s [y/N] ", question)
	b := make([]byte, 64)
	n, err := c.Stdin.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read answer: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(string(b[:n]))); a != "y" && a != "yes" {
		return errDeclined
	}
	return nil
}

func (c *call) printIntent(i walletapi.Intent, whole any) error {
	if c.json {
		return c.printJSON(whole)
	}
	fmt.Fprintln(c.Stdout, printable(i.Summary))
	if i.Warning != "" {
		fmt.Fprintln(c.Stdout, "WARNING: "+printable(i.Warning))
	}
	t := newTable(c.Stdout)
	for _, f := range i.Fields {
		t.row("  "+f.Name, f.Value)
	}
	return t.flush()
}

func walletSignCommand() command {
	return command{
		name: "sign", args: "[FILE]", short: "sign typed data, a message or a transaction", max: 1,
		long: `FILE, or standard input, holds typed data of EIP-712 as JSON; with --message a text
that is signed as it is, with --transaction a transaction as eth_signTransaction
takes it. What it means is shown before.`,
		setup: func(fs *flag.FlagSet) runner {
			which, code := walletFlag(fs), proofFlags(fs)
			from := fs.String("from", "", "`address` of the account (default the wallet's first)")
			message, transaction := fs.Bool("message", false, "the file holds a text"), fs.Bool("transaction", false, "the file holds a transaction")
			yes, preview := fs.Bool("yes", false, "do not ask"), fs.Bool("preview", false, "only show what it means")
			return func(ctx context.Context, c *call) error {
				raw, err := c.readInput(cmp.Or(c.first(), "-"))
				if err != nil {
					return err
				}
				in := walletapi.SignRequest{Code: *code}
				switch {
				case *message:
					text := string(raw)
					in.Message = &text
				case !json.Valid(raw):
					return usagef("wallet sign", "the file holds no JSON: --message signs a text")
				case *transaction:
					in.Transaction = raw
				default:
					in.TypedData = raw
				}
				if in.From, err = optionalAddress("wallet sign", *from); err != nil {
					return err
				}
				return c.walletSign(ctx, in, *which, *yes, *preview)
			}
		},
	}
}

func (c *call) walletSign(ctx context.Context, in walletapi.SignRequest, which string, yes, preview bool) error {
	w, err := c.wallets()
	if err != nil {
		return err
	}
	x, err := w.pick(ctx, which)
	if err != nil {
		return err
	}
	header, err := w.capability(x.ID)
	if err != nil {
		return err
	}
	in.Wallet = x.ID
	var out walletapi.SignResponse
	if preview || !yes {
		look := in
		look.Preview = true
		if err := w.ask(ctx, "/v1/wallet/sign", look, &out, header...); err != nil {
			return err
		}
		if preview {
			return c.printIntent(out.Intent, out)
		}
		c.progress("%s", printable(out.Intent.Summary))
		if err := c.confirm("Sign it?"); err != nil {
			return err
		}
	}
	if err := w.ask(ctx, "/v1/wallet/sign", in, &out, header...); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(out)
	}
	if out.Raw != nil {
		_, err = fmt.Fprintln(c.Stdout, out.Raw.String())
	} else {
		_, err = fmt.Fprintln(c.Stdout, out.Signature.String())
	}
	return err
}

func walletTxCommand() command {
	return command{
		name: "tx", args: "HASH", short: "show how a transaction stands", min: 1, max: 1,
		setup: func(*flag.FlagSet) runner {
			return func(ctx context.Context, c *call) error {
				h, err := hash("wallet tx", "hash", c.args[0])
				if err != nil {
					return err
				}
				w, err := c.wallets()
				if err != nil {
					return err
				}
				var out walletapi.Transaction
				if err := w.ask(ctx, "/v1/wallet/tx/"+h.Hex(), nil, &out); err != nil {
					return err
				}
				return c.printTransactions(out, []walletapi.Transaction{out})
			}
		},
	}
}

func walletHistoryCommand() command {
	return managed("history", "show what a wallet sent, newest first", "", func(fs *flag.FlagSet) walletRun {
		last := fs.Int("last", 20, "how `many`")
		return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) error {
			var out walletapi.History
			q := url.Values{"wallet": {x.ID}, "limit": {strconv.Itoa(*last)}}
			if err := w.ask(ctx, "/v1/wallet/history?"+q.Encode(), nil, &out); err != nil {
				return err
			}
			return c.printTransactions(out.Transactions, out.Transactions)
		}
	})
}

func (c *call) printTransactions(whole any, list []walletapi.Transaction) error {
	if c.json {
		return c.printJSON(whole)
	}
	t := newTable(c.Stdout)
	t.row("SENT", "STATE", "BLOCK", "TO", "AMOUNT", "HASH")
	for _, x := range list {
		t.row(clock(x.SentAt), x.State, x.Block, x.To.Hex(), x.Amount.Coins(), x.Hash.Hex())
	}
	return t.flush()
}
