package policy_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/wallet/policy"
)

var (
	noon  = time.Unix(1_700_000_000-1_700_000_000%86400+43200, 0)
	alice = common.Address{0xa}
	bob   = common.Address{0xb}
)

func coins(n uint64) *market.Amount { a := market.Coins(n); return &a }

func reason(t *testing.T, err error) policy.Reason {
	t.Helper()
	r, ok := errors.AsType[*policy.Refusal](err)
	if !ok {
		t.Fatalf("no refusal: %v", err)
	}
	return r.Reason
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := policy.State{Policy: policy.Policy{PerTransaction: coins(5), PerDay: coins(8)}}
	if _, err := s.Allow(policy.Action{Worth: market.Coins(6)}, noon); reason(t, err) != policy.OverLimit {
		t.Errorf("above one transaction: %v", err)
	}
	s, err := s.Allow(policy.Action{Worth: market.Coins(5)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Allow(policy.Action{Worth: market.Coins(4)}, noon.Add(11*time.Hour)); reason(t, err) != policy.OverLimit {
		t.Errorf("above the day: %v", err)
	}
	if _, err := s.Allow(policy.Action{Worth: market.Coins(3)}, noon); err != nil {
		t.Errorf("exactly the day: %v", err)
	}
	if got := s.GiveBack(market.Coins(5), policy.State{}, noon); !got.Spent.IsZero() {
		t.Errorf("given back: %s", got.Spent)
	}
	if s, err = s.Allow(policy.Action{Worth: market.Coins(4)}, noon.Add(12*time.Hour)); err != nil || s.Spent != market.Coins(4) {
		t.Errorf("the next day: %s, %v", s.Spent, err)
	}
	if got := s.GiveBack(market.Coins(5), policy.State{}, noon.Add(24*time.Hour)); !got.Spent.IsZero() {
		t.Errorf("of another day: %s", got.Spent)
	}
	// A clock that is set back opens no new day.
	if _, err := s.Allow(policy.Action{Worth: market.Coins(5)}, noon.Add(-48*time.Hour)); reason(t, err) != policy.OverLimit {
		t.Errorf("a clock set back: %v", err)
	}
}

// A voucher that was not signed after all is not one that came before.
func TestVouchersCountWhatTheyAdd(t *testing.T) {
	t.Parallel()
	voucher := func(chain, coins uint64) policy.Action {
		return policy.Action{Voucher: &policy.Voucher{Chain: chain, Session: 4, Cumulative: market.Coins(coins)}}
	}
	s := policy.State{Policy: policy.Policy{PerDay: coins(6)}}
	first, err := s.Allow(voucher(1, 3), noon)
	if err != nil || first.Spent != market.Coins(3) {
		t.Fatal(first.Spent, err)
	}
	second, err := first.Allow(voucher(1, 6), noon)
	if err != nil || second.Spent != market.Coins(6) {
		t.Fatalf("it adds three: %s, %v", second.Spent, err)
	}
	back := second.GiveBack(market.Coins(3), first, noon)
	if back.Spent != market.Coins(3) {
		t.Errorf("given back: %s", back.Spent)
	}
	if again, err := back.Allow(voucher(1, 6), noon); err != nil || again.Spent != market.Coins(6) {
		t.Errorf("asked for again it counts again: %s, %v", again.Spent, err)
	}
	// A session of another chain is another session.
	if other, err := first.Allow(voucher(2, 3), noon); err != nil || other.Spent != market.Coins(6) {
		t.Errorf("on another chain: %s, %v", other.Spent, err)
	}
}

func TestSecondFactorAboveAnAmount(t *testing.T) {
	t.Parallel()
	s := policy.State{Policy: policy.Policy{SecondFactorAbove: coins(1)}}
	if _, err := s.Allow(policy.Action{Worth: market.Coins(1)}, noon); err != nil {
		t.Errorf("not above: %v", err)
	}
	if _, err := s.Allow(policy.Action{Worth: market.Coins(2)}, noon); reason(t, err) != policy.NeedsFactor {
		t.Errorf("above: %v", err)
	}
	if _, err := s.Allow(policy.Action{Unknown: true}, noon); reason(t, err) != policy.NeedsFactor {
		t.Errorf("of unknown worth: %v", err)
	}
	if _, err := s.Allow(policy.Action{Worth: market.Coins(2), Factor: true}, noon); err != nil {
		t.Errorf("with a code: %v", err)
	}
}

func TestAllowListAndItsDelay(t *testing.T) {
	t.Parallel()
	p := policy.Policy{AllowOnly: true, Allow: []policy.Receiver{{Address: alice}}, DelaySeconds: 3600}
	s, err := policy.State{}.Set(p, noon)
	if err != nil || s.Next != nil {
		t.Fatalf("a policy that only tightens waits: %+v, %v", s, err)
	}
	if _, err := s.Allow(policy.Action{Parties: []common.Address{alice}}, noon); err != nil {
		t.Error(err)
	}
	if _, err := s.Allow(policy.Action{Parties: []common.Address{alice, bob}}, noon); reason(t, err) != policy.Denied {
		t.Errorf("a stranger: %v", err)
	}
	wider := p
	wider.Allow = append([]policy.Receiver{{Address: bob}}, p.Allow...)
	if s, err = s.Set(wider, noon); err != nil || s.Next == nil || s.NextAt != noon.Unix()+3600 {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := s.Allow(policy.Action{Parties: []common.Address{bob}}, noon.Add(59*time.Minute)); reason(t, err) != policy.Denied {
		t.Errorf("before its time: %v", err)
	}
	if _, err := s.Allow(policy.Action{Parties: []common.Address{bob}}, noon.Add(time.Hour)); err != nil {
		t.Errorf("after an hour: %v", err)
	}
	// Nor can the delay be taken away at once, the list be dropped or a limit be lifted.
	for name, change := range map[string]func(*policy.Policy){
		"delay": func(p *policy.Policy) { p.DelaySeconds = 0 }, "list": func(p *policy.Policy) { p.AllowOnly = false }, "blind": func(p *policy.Policy) { p.BlindCalls = true },
	} {
		next := p
		change(&next)
		if got, err := s.Set(next, noon); err != nil || got.Next == nil {
			t.Errorf("%s: at once, %v", name, err)
		}
	}
	// An allow-list trusts what no limit counts: where there are limits, a new one waits.
	limits := policy.State{Policy: policy.Policy{PerDay: coins(1), DelaySeconds: 3600}}
	if got, err := limits.Set(policy.Policy{PerDay: coins(1), DelaySeconds: 3600, AllowOnly: true, Allow: p.Allow}, noon); err != nil || got.Next == nil {
		t.Errorf("an allow-list beside limits: at once, %v", err)
	}
	tighter := p
	tighter.PerDay, tighter.Allow = coins(1), nil
	if got, err := s.Set(tighter, noon); err != nil || got.Next != nil || got.Policy.PerDay == nil {
		t.Errorf("tightening waits: %+v, %v", got, err)
	}
}

func TestWhatNobodyCanTell(t *testing.T) {
	t.Parallel()
	opaque := policy.Action{Opaque: true, Parties: []common.Address{alice}}
	if _, err := (policy.State{}).Allow(opaque, noon); reason(t, err) != policy.Denied {
		t.Errorf("blind signing is on: %v", err)
	}
	if _, err := (policy.State{Policy: policy.Policy{BlindCalls: true}}).Allow(opaque, noon); err != nil {
		t.Error(err)
	}
	unknown := policy.Action{Unknown: true, Parties: []common.Address{alice}}
	if _, err := (policy.State{}).Allow(unknown, noon); err != nil {
		t.Errorf("without limits: %v", err)
	}
	if _, err := (policy.State{Policy: policy.Policy{PerDay: coins(1)}}).Allow(unknown, noon); reason(t, err) != policy.Denied {
		t.Errorf("with a limit: %v", err)
	}
	listed := policy.State{Policy: policy.Policy{PerDay: coins(1), AllowOnly: true, Allow: []policy.Receiver{{Address: alice}}}}
	if _, err := listed.Allow(unknown, noon); err != nil {
		t.Errorf("of a contract that is listed: %v", err)
	}
	// Nor is a deployment where blind calls are on: it has no receiver that could be listed.
	blind := listed
	blind.Policy.BlindCalls = true
	if _, err := blind.Allow(policy.Action{Opaque: true, Unknown: true}, noon); reason(t, err) != policy.Denied {
		t.Errorf("a deployment: %v", err)
	}
	if _, err := listed.Allow(policy.Action{Unknown: true}, noon); reason(t, err) != policy.Denied {
		t.Errorf("for nobody in particular: %v", err)
	}
}

// A voucher counts by what it allows beyond the one before, and an old one not
// at all.
func TestVouchersCountByWhatTheyAdd(t *testing.T) {
	t.Parallel()
	s := policy.State{Policy: policy.Policy{PerTransaction: coins(5)}}
	sign := func(session, n uint64) error {
		next, err := s.Allow(policy.Action{Voucher: &policy.Voucher{Session: session, Cumulative: market.Coins(n)}}, noon)
		if err == nil {
			s = next
		}
		return err
	}
	if err := sign(1, 4); err != nil {
		t.Fatal(err)
	}
	if err := sign(1, 10); reason(t, err) != policy.OverLimit {
		t.Errorf("six more: %v", err)
	}
	for _, n := range []uint64{9, 9, 3, 14} {
		if err := sign(1, n); err != nil {
			t.Errorf("up to %d: %v", n, err)
		}
	}
	if err := sign(2, 6); reason(t, err) != policy.OverLimit {
		t.Errorf("another session: %v", err)
	}
	if s.Spent != market.Coins(14) {
		t.Errorf("spent %s", s.Spent.Coins())
	}
}

// Whatever is asked for in whatever order, a day's limit is never passed.
func TestADayIsNeverAboveItsLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint64Range(0, 50).Draw(t, "limit")
		s := policy.State{Policy: policy.Policy{PerDay: coins(limit)}}
		now, signed := noon, map[int64]uint64{}
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "hours")) * time.Hour)
			n := rapid.Uint64Range(0, 30).Draw(t, "worth")
			next, err := s.Allow(policy.Action{Worth: market.Coins(n)}, now)
			if err != nil {
				continue
			}
			s = next
			signed[now.Unix()/86400] += n
			if signed[now.Unix()/86400] > limit {
				t.Fatalf("%d of %d", signed[now.Unix()/86400], limit)
			}
		}
	})
}
