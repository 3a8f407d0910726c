package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/keystore"
)

// opening is how a session is opened.
type opening struct {
	deposit market.Amount
	from    string        // who pays
	life    time.Duration // 0 for the longest
	self    bool          // orders are signed here
}

func (o opening) mode() string {
	if o.self {
		return api.ModeSelf
	}
	return api.ModeDelegated
}

func signedBy(mode string) string {
	if mode == api.ModeSelf {
		return "you"
	}
	return "the coordinator"
}

func (c *call) openSession(ctx context.Context, o opening) error {
	if o.life < 0 {
		return usagef("session open", "--for %s: want a time to come", o.life)
	}
	w, err := c.payer(o.from)
	if err != nil {
		return err
	}
	var expiry time.Time
	if o.life > 0 {
		expiry = time.Now().Add(o.life)
	}
	var id uint64
	if o.self {
		var spender *keystore.Key
		if spender, err = c.newKey(); err != nil {
			return err
		}
		id, err = w.OpenSelf(ctx, o.deposit, expiry, spender.Address())
	} else {
		id, err = w.Open(ctx, o.deposit, expiry)
	}
	if err != nil {
		return err
	}
	c.progress("aitbc: session %d is open with a deposit of %s", id, o.deposit.Coins())
	if err := c.storeKey(ctx, w, id, o.mode()); err != nil {
		return hint(err, "aitbc session use %d asks again; the deposit comes back after the session's expiry, and aitbc session close %d starts that now", id, id)
	}
	return c.opened(id, o.mode(), o.deposit)
}

// newKey makes a key of the keystore under its passphrase.
func (c *call) newKey() (*keystore.Key, error) {
	store, err := c.keystore()
	if err != nil {
		return nil, err
	}
	pass, err := c.passphrase(false)
	if err != nil {
		return nil, err
	}
	return store.Create(pass)
}

// storeKey gets an API key for a session and has later commands use it.
func (c *call) storeKey(ctx context.Context, w client.Wallet, id uint64, mode string) error {
	key, err := w.APIKey(ctx, id, mode, time.Now())
	if err != nil {
		return err
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	if err := home.Make(n.Home.Secrets()); err != nil {
		return err
	}
	return secret.WriteFile(n.ClientKeyFile(), secret.New(key.APIKey))
}

func (c *call) opened(id uint64, mode string, deposit market.Amount) error {
	n, err := c.network()
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]any{"session": id, "mode": mode, "deposit": deposit, "key_file": n.ClientKeyFile()})
	}
	if c.Getenv(envAPIKey) != "" && !c.pinned() {
		c.progress("aitbc: %s in the environment is of the session before, and is used first: run eval \"$(aitbc env)\" again", envAPIKey)
	}
	_, err = fmt.Fprintf(c.Stdout, "session %d, signed by %s; its API key is in %s\n", id, signedBy(mode), n.ClientKeyFile())
	return err
}

// renewSession opens a session like the one of the API key, and uses that from now on.
func (c *call) renewSession(ctx context.Context, deposit optionalAmount) error {
	remote, err := c.account()
	if err != nil {
		return err
	}
	old, err := remote.Account(ctx)
	if err != nil {
		return err
	}
	o := opening{deposit: old.Deposit, from: old.Client.Hex(), self: old.Mode == api.ModeSelf}
	if deposit.given {
		o.deposit = deposit.value
	}
	if o.self { // it costs the coordinator less than to settle each order alone
		if s, err := c.signing(ctx, remote, old); err != nil {
			c.progress("aitbc: no voucher for session %d: %v", old.Session, err)
		} else if _, err := s.Vouch(ctx); err != nil {
			c.progress("aitbc: no voucher for session %d: %v", old.Session, err)
		}
	}
	return c.openSession(ctx, o)
}

// signing returns the session of the API key, whose orders are signed here.
func (c *call) signing(ctx context.Context, remote *client.Client, a api.Account) (*client.Session, error) {
	if a.Mode != api.ModeSelf {
		return nil, hint(fmt.Errorf("the coordinator signs for session %d", a.Session), "aitbc session open --self opens one for which you sign")
	}
	spender, err := c.unlock(a.Spender)
	if errors.Is(err, keystore.ErrNotFound) {
		return nil, hint(fmt.Errorf("the key that signs for session %d, %s, is not in this keystore", a.Session, a.Spender), "use the home that opened the session, or open another: aitbc session renew")
	}
	if err != nil {
		return nil, err
	}
	eth, err := c.chain()
	if err != nil {
		return nil, err
	}
	domain, err := client.Wallet{Coordinator: remote, Chain: eth}.Domain(ctx)
	if err != nil {
		return nil, err
	}
	s, err := remote.Session(ctx, domain, spender)
	if err != nil {
		return nil, err
	}
	s.Keys = client.ChainKeys{Chain: eth}
	return s, nil
}

func (c *call) topUp(ctx context.Context, amount optionalAmount, from string) error {
	if !amount.given || amount.value.IsZero() {
		return usagef("session topup", "--amount is missing")
	}
	id, err := c.sessionID(ctx)
	if err != nil {
		return err
	}
	w, err := c.payer(from)
	if err != nil {
		return err
	}
	if err := w.TopUp(ctx, id, amount.value); err != nil {
		return err
	}
	return c.printSession(ctx, id)
}

func (c *call) listSessions(ctx context.Context) error {
	remote, err := c.account()
	if err != nil {
		return err
	}
	list, err := remote.Sessions(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(append([]api.Account{}, list...))
	}
	t := newTable(c.Stdout)
	t.row("SESSION", "STATE", "SIGNED BY", "AVAILABLE", "DEPOSIT", "EXPIRES")
	for _, a := range list {
		t.row(a.Session, a.State, signedBy(a.Mode), a.Available.Coins(), a.Deposit.Coins(), seconds(a.Expiry))
	}
	return t.flush()
}

func (c *call) useSession(ctx context.Context, from string) error {
	id, err := c.sessionID(ctx)
	if err != nil {
		return err
	}
	w, err := c.payer(from)
	if err != nil {
		return err
	}
	mode, err := c.modeOf(ctx, w, id)
	if err != nil {
		return err
	}
	if err := c.storeKey(ctx, w, id, mode); err != nil {
		return err
	}
	_, a, err := c.current(ctx)
	if err != nil {
		return err
	}
	return c.opened(id, mode, a.Deposit)
}

// modeOf says who signs for a session: we do if its key is in the keystore.
func (c *call) modeOf(ctx context.Context, w client.Wallet, id uint64) (string, error) {
	x, err := predeploy.NewMarket(w.Chain).Session(ctx, id, chainclient.Latest)
	if err != nil {
		return "", err
	}
	store, err := c.keystore()
	if err != nil {
		return "", err
	}
	keys, err := store.List()
	if err != nil {
		return "", err
	}
	return opening{self: slices.Contains(keys, x.Spender)}.mode(), nil
}

func (c *call) signVoucher(ctx context.Context) error {
	remote, a, err := c.current(ctx)
	if err != nil {
		return err
	}
	s, err := c.signing(ctx, remote, a)
	if err != nil {
		return err
	}
	v, err := s.Vouch(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(v)
	}
	_, err = fmt.Fprintf(c.Stdout, "signed for %s, orders up to %d of session %d\n", v.Cumulative.Coins(), v.Through, v.Session)
	return err
}
