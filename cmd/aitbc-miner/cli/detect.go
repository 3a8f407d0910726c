package cli

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/engine/openai"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/settings"
)

// usualServers are where model servers listen if nobody says otherwise: Ollama, llama-server, vLLM, LM Studio.
var usualServers = []string{"http://127.0.0.1:11434/v1", "http://127.0.0.1:8080/v1", "http://127.0.0.1:8000/v1", "http://127.0.0.1:1234/v1"}

const (
	lookWithin    = 3 * time.Second // for an answer of what may not be there
	usualLongest  = 4096            // tokens of an answer
	mostProposals = 32              // models
)

// proposal is a model that could be offered.
type proposal struct {
	engine     settings.Engine
	parameters uint64
	priced     string // how its price came about
}

// detect looks for model servers, and proposes their models.
func detect(ctx context.Context, servers []string, coordinator string) []proposal {
	var all []proposal
	offers := onMarket(ctx, coordinator)
	for _, url := range servers {
		server, err := openai.New(openai.Config{BaseURL: url})
		if err != nil {
			continue
		}
		within, cancel := context.WithTimeout(ctx, lookWithin)
		names, err := server.Models(within)
		for _, name := range names {
			if err != nil || len(all) == mostProposals {
				break
			}
			p := proposal{engine: settings.Engine{Kind: settings.KindOpenAI, URL: url, Models: []string{name}, MaxTokens: usualLongest}, parameters: server.Parameters(within, name)}
			p.price(offers[name])
			all = append(all, p)
		}
		cancel()
	}
	return all
}

// onMarket returns what is on offer now, by name; nothing if the coordinator does not answer.
func onMarket(ctx context.Context, coordinator string) map[string][]api.Offer {
	client, err := httpx.NewClient(coordinator)
	if err != nil {
		return nil
	}
	var list api.ModelList
	if _, err := client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/models", Timeout: lookWithin}, &list); err != nil {
		return nil
	}
	by := map[string][]api.Offer{}
	for _, m := range list.Data {
		by[m.ID] = m.Offers
	}
	return by
}

// price proposes the cheapest price at which others offer the model by tokens; else one by its size: half an AITBC per
// 10^6 tokens of the answer, and a quarter more for each 10^9 parameters, and half of that for the prompt.
func (p *proposal) price(offers []api.Offer) {
	for _, o := range offers {
		if o.Kind == "" && o.Second.IsZero() && o.Item.IsZero() && (p.priced == "" || o.Completion.Cmp(p.engine.CompletionRate.Amount) < 0) {
			p.engine.PromptRate, p.engine.CompletionRate = settings.Price{Amount: o.Prompt}, settings.Price{Amount: o.Completion}
			p.priced = "as the cheapest on the market"
		}
	}
	if p.priced != "" {
		return
	}
	quarters := new(big.Int).SetUint64(2 + (p.parameters+5e8)/1e9)
	quarter := new(big.Int).Div(market.Coins(1).Big(), big.NewInt(4))
	rate, err := market.AmountFromBig(quarter.Mul(quarter, quarters))
	if err != nil {
		rate = market.Coins(1)
	}
	half, err := market.AmountFromBig(new(big.Int).Div(rate.Big(), big.NewInt(2)))
	if err != nil {
		half = rate
	}
	p.engine.PromptRate, p.engine.CompletionRate, p.priced = settings.Price{Amount: half}, settings.Price{Amount: rate}, "by its size"
}

func (p *proposal) String() string {
	size := ""
	if p.parameters > 0 {
		size = fmt.Sprintf(", %.1f·10⁹ parameters", float64(p.parameters)/1e9)
	}
	return fmt.Sprintf("%s at %s%s: %s and %s per 10^6 tokens (%s)", p.engine.Models[0], p.engine.URL, size, p.engine.PromptRate.Coins(), p.engine.CompletionRate.Coins(), p.priced)
}
