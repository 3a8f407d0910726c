package market_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/aitbc/aitbc/market"
)

func amount(t *rapid.T, name string) market.Amount {
	var b [16]byte
	copy(b[16-rapid.IntRange(0, 16).Draw(t, name+" size"):], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
	return market.AmountFromBytes16(b)
}

func TestAmountTextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := amount(t, "a")
		b, err := market.ParseAmount(a.String())
		if err != nil || b != a {
			t.Fatalf("ParseAmount(%s) = %v, %v", a, b, err)
		}
		if c, err := market.ParseCoins(a.Coins()); err != nil || c != a {
			t.Fatalf("ParseCoins(%s) = %v, %v", a.Coins(), c, err)
		}
		if market.AmountFromBytes16(a.Bytes16()) != a {
			t.Fatal("bytes differ")
		}
	})
}

func TestAmountRefusesWhatItWouldNotWrite(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "-1", "+1", "01", "1.0", "1e3", " 1", "0x10", "340282366920938463463374607431768211456", "٣"} {
		if a, err := market.ParseAmount(s); !errors.Is(err, market.ErrAmount) {
			t.Errorf("ParseAmount(%q) = %v, %v", s, a, err)
		}
	}
	var a market.Amount
	for _, written := range []string{`"12"`, `"\u00312"`, `"012"`} {
		var got market.Amount
		if err := json.Unmarshal([]byte(written), &got); (err == nil) != (written != `"012"`) || err == nil && got != market.Units(12) {
			t.Errorf("%s: %s, %v", written, got, err)
		}
	}
	for _, no := range []string{`""`, `null`, `"-1"`, `"+1"`, `" 1"`, `"1\u002e"`} {
		if err := json.Unmarshal([]byte(no), new(market.Amount)); !errors.Is(err, market.ErrAmount) {
			t.Errorf("%s: %v", no, err)
		}
	}
	if err := json.Unmarshal([]byte(`12`), &a); !errors.Is(err, market.ErrAmount) {
		t.Errorf("a JSON number was taken: %v", err)
	}
}

func TestAmountArithmeticIsChecked(t *testing.T) {
	t.Parallel()
	if _, err := market.MaxAmount().Add(market.Units(1)); !errors.Is(err, market.ErrAmount) {
		t.Error("overflow not reported")
	}
	if _, err := market.Units(1).Sub(market.Units(2)); !errors.Is(err, market.ErrAmount) {
		t.Error("underflow not reported")
	}
}

func TestPriceVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/vectors/price.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Price []struct {
			PromptTokens     uint64        `json:"prompt_tokens,string"`
			CompletionTokens uint64        `json:"completion_tokens,string"`
			PromptRate       market.Amount `json:"prompt_rate"`
			CompletionRate   market.Amount `json:"completion_rate"`
			ComputeMillis    uint64        `json:"compute_millis,string"`
			SecondRate       market.Amount `json:"second_rate"`
			Items            uint64        `json:"items,string"`
			ItemRate         market.Amount `json:"item_rate"`
			Price            market.Amount `json:"price"`
		} `json:"price"`
		Fee []struct {
			Before market.Amount `json:"before"`
			After  market.Amount `json:"after"`
			Bps    uint16        `json:"bps"`
			Fee    market.Amount `json:"fee"`
		} `json:"fee"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Price) == 0 || len(v.Fee) == 0 {
		t.Fatal("no vectors")
	}
	for _, c := range v.Price {
		got, err := market.Price(market.Rates{Prompt: c.PromptRate, Completion: c.CompletionRate, Second: c.SecondRate, Item: c.ItemRate},
			market.Usage{PromptTokens: c.PromptTokens, CompletionTokens: c.CompletionTokens, ComputeMillis: c.ComputeMillis, Items: c.Items})
		if err != nil || got != c.Price {
			t.Errorf("Price(%+v) = %v, %v", c, got, err)
		}
	}
	for _, c := range v.Fee {
		if got, err := market.Fee(c.Before, c.After, c.Bps); err != nil || got != c.Fee {
			t.Errorf("Fee(%+v) = %v, %v", c, got, err)
		}
	}
}

func TestSplitAddsUpHoweverDebitsAreCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		feeBps, marginBps := uint16(rapid.IntRange(0, 2000).Draw(t, "fee")), uint16(rapid.IntRange(0, 2000).Draw(t, "margin"))
		var total, fees market.Amount
		for range rapid.IntRange(1, 20).Draw(t, "jobs") {
			price := market.Units(rapid.Uint64().Draw(t, "price"))
			s, err := market.Divide(total, price, feeBps, marginBps)
			if err != nil {
				t.Fatal(err)
			}
			sum := must(must(s.Fee.Add(s.Margin)).Add(s.Miner))
			if sum != price {
				t.Fatalf("split %+v of %s", s, price)
			}
			total, fees = must(total.Add(price)), must(fees.Add(s.Fee))
		}
		if whole := must(market.Fee(market.Amount{}, total, feeBps)); whole != fees {
			t.Fatalf("fees %s, of the whole %s", fees, whole)
		}
	})
}

func must(a market.Amount, err error) market.Amount {
	if err != nil {
		panic(err)
	}
	return a
}

func TestTerminalStatesAreFinal(t *testing.T) {
	t.Parallel()
	all := []market.JobState{market.Queued, market.Assigned, market.Running, market.Completed, market.Failed, market.Canceled, market.Expired}
	for _, s := range all {
		for _, to := range all {
			_, err := s.To(to)
			if s.Terminal() && err == nil {
				t.Errorf("%s went to %s", s, to)
			}
			if to == market.Failed && !s.Terminal() && err != nil {
				t.Errorf("%s cannot fail: a state without exit", s)
			}
		}
	}
}
