package api

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// QuoteRequest is the body of POST /v1/jobs/quote: what a coordinator must know
// of a job to say its terms. It holds no content.
type QuoteRequest struct {
	Model       string         `json:"model"`
	PromptBound uint64         `json:"prompt_bound"` // see [Request.PromptBound]
	MaxTokens   uint64         `json:"max_tokens,omitempty"`
	MaxSeconds  uint64         `json:"max_seconds,omitempty"`
	Embeddings  uint64         `json:"embeddings,omitempty"` // texts, 0 for another job
	Container   bool           `json:"container,omitempty"`
	MaxPrice    *market.Amount `json:"max_price,omitempty"`
	TTLSeconds  uint64         `json:"ttl_seconds,omitempty"`
	Constraints Constraints    `json:"constraints,omitzero"`
	Route       string         `json:"route,omitempty"`
	Sealed      bool           `json:"sealed,omitempty"` // only miners with a sealing key, and those with the offers
}

// Quote is what an order may say to be taken now. The client puts the commitment
// to its request into Order, and signs it if it agrees.
type Quote struct {
	Order     receipt.Order `json:"order"` // without input
	MaxTokens uint64        `json:"max_tokens"`
	// MaxSeconds is there if a miner has a price by the second.
	MaxSeconds uint64        `json:"max_seconds,omitempty"`
	Offers     []QuotedOffer `json:"offers"` // of miners that may run it, the cheapest first
}

// QuotedOffer is what one miner asks.
type QuotedOffer struct {
	Miner common.Address `json:"miner"`
	Class string         `json:"class"`
	market.Rates
	// SealingKey is there if the quote is for a sealed job. The Registry has its hash.
	SealingKey []byte `json:"sealing_key,omitempty"`
}

// SignedOrder is an order with what stands behind it.
type SignedOrder struct {
	Order     receipt.Order     `json:"order"`
	Signature receipt.Signature `json:"signature"`         // by the session's spender
	Salt      []byte            `json:"salt,omitempty"`    // 32 bytes, base64
	Request   []byte            `json:"request,omitempty"` // JSON of a [Request], base64: the order commits to these bytes
	// Sealed takes the place of salt and request where only the miner may read them.
	Sealed *SealedJob `json:"sealed,omitempty"`
}

// SealedJob is a job that the coordinator cannot read. What is sealed is the
// salt, 32 bytes, and the request after it.
type SealedJob struct {
	// Public is the request without its content: no prompt, messages, input, stop
	// strings, tools or format.
	Public      Request    `json:"public"`
	PromptBound uint64     `json:"prompt_bound"` // see [Request.PromptBound]
	Embeddings  uint64     `json:"embeddings,omitempty"`
	Container   bool       `json:"container,omitempty"`
	Box         sealed.Box `json:"box"`
}

// Public returns a request without its content: what of a sealed job all may know.
func (r *Request) Public() Request {
	return Request{Version: r.Version, Model: r.Model, MaxTokens: r.MaxTokens, MaxSeconds: r.MaxSeconds, TemperatureMilli: r.TemperatureMilli, TopPMilli: r.TopPMilli, TopK: r.TopK, Seed: r.Seed}
}

// SealedAssignment is what the miner of a sealed job is given of it.
type SealedAssignment struct {
	PromptBound uint64      `json:"prompt_bound"`
	Embeddings  uint64      `json:"embeddings,omitempty"`
	Content     []byte      `json:"content"`
	Wrap        sealed.Wrap `json:"wrap"`
}

// VoucherRequest is the body of POST /v1/sessions/{n}/vouchers.
type VoucherRequest struct {
	Through    uint64            `json:"through"`
	Cumulative market.Amount     `json:"cumulative"`
	Signature  receipt.Signature `json:"signature"`
}

// Vouchers says how a client that signs itself stands with its vouchers.
type Vouchers struct {
	Last *VoucherRequest `json:"last,omitempty"` // the newest that it gave
	Due  receipt.Voucher `json:"due"`            // what the ledger says that the next must be
	// Alone is the last order that was settled without a voucher: the next voucher
	// must reach it.
	Alone uint64 `json:"alone,omitempty"`
}

// tokensPerMessage bounds what a chat template adds to a message.
const tokensPerMessage = 16

// PromptBound is a number of tokens that no tokenizer exceeds: one per byte, and
// what a template adds.
func (r *Request) PromptBound() uint64 {
	n := uint64(len(r.Prompt) + len(r.Tools) + tokensPerMessage)
	for _, text := range r.Input {
		n += uint64(len(text) + tokensPerMessage)
	}
	for _, m := range r.Messages {
		n += uint64(len(m.Content) + tokensPerMessage)
	}
	return n
}

// Items is what a price per item counts: the texts to embed, or 1.
func (r *Request) Items() uint64 { return max(1, uint64(len(r.Input))) }

// Bound is the most that the request's job may use.
func (r *Request) Bound() market.Usage {
	return market.Bound(r.PromptBound(), r.MaxTokens, r.MaxSeconds, r.Items())
}

// Request turns what a client asks for into what the miner is sent. Numbers are
// kept in thousandths; without a seed it draws one. Messages and the like are
// not checked.
func (r SubmitRequest) Request() (*Request, error) {
	out := &Request{
		Version: 1, Model: r.Model, Prompt: r.Prompt, Messages: r.Messages, Input: r.Input, Container: r.Container, MaxTokens: r.MaxTokens, MaxSeconds: r.MaxSeconds, TemperatureMilli: 1000, TopPMilli: 1000, TopK: r.TopK,
		Stop: r.Stop, Grammar: r.Grammar, Logprobs: r.Logprobs, TopLogprobs: r.TopLogprobs,
	}
	if err := errors.Join(milli("temperature", r.Temperature, 2, &out.TemperatureMilli), milli("top_p", r.TopP, 1, &out.TopPMilli)); err != nil {
		return nil, err
	}
	if r.Seed != nil {
		out.Seed = *r.Seed
	} else {
		var b [8]byte
		_, _ = rand.Read(b[:])
		out.Seed = binary.BigEndian.Uint64(b[:])
	}
	return out, nil
}

func milli(name string, v *float64, most float64, dst *uint32) error {
	if v == nil {
		return nil
	}
	if math.IsNaN(*v) || *v < 0 || *v > most {
		return fmt.Errorf("%s is %v: use 0 to %v", name, *v, most)
	}
	*dst = uint32(math.Round(*v * 1000))
	return nil
}
