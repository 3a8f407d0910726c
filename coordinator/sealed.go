package coordinator

import (
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// maxSealed bounds sealed content: a prompt may grow sixfold as JSON.
const maxSealed = 6*MaxPromptBytes + 64<<10

// promptBoundMost is more than any prompt that is taken can have.
const promptBoundMost = MaxPromptBytes + 64<<10

// visible returns what the coordinator knows of a job's request.
func visible(j *ledger.Job) (req api.Request, err error) {
	if !j.Spec.Sealed {
		if err := json.Unmarshal(j.Request, &req); err != nil {
			return req, fmt.Errorf("stored request: %w", err)
		}
		return req, nil
	}
	var hidden api.SealedJob
	if err := json.Unmarshal(j.Request, &hidden); err != nil {
		return req, fmt.Errorf("stored request: %w", err)
	}
	return hidden.Public, nil
}

// hide gives an assignment the part of a sealed job that is its miner's.
func hide(a *api.Assignment, miner common.Address) error {
	var hidden api.SealedJob
	if err := json.Unmarshal(a.Request, &hidden); err != nil {
		return fmt.Errorf("stored request: %w", err)
	}
	w, ok := hidden.Box.For(miner)
	if !ok {
		return fmt.Errorf("job %s is not sealed to %s", a.JobID, miner)
	}
	var err error
	a.Salt = nil
	a.Sealed = &api.SealedAssignment{PromptBound: hidden.PromptBound, Embeddings: hidden.Embeddings, Content: hidden.Box.Content, Wrap: w}
	if a.Request, err = json.Marshal(hidden.Public); err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	return nil
}

// content is what is known of a signed order's request.
type content struct {
	public      api.Request
	promptBound uint64
	texts       uint64 // to embed, 0 for another job
	container   bool
	stored      []byte
	salt        []byte
	sealed      bool
}

// open reads a request that the coordinator may read.
func open(in *api.SignedOrder) (content, error) {
	var req api.Request
	if err := api.Decode(in.Request, &req); err != nil || req.Version != 1 {
		return content{}, apierr.New(apierr.Invalid, "signed.request is not the base64 of a request of version 1: %v", err)
	}
	if err := sound(&req); err != nil {
		return content{}, err
	}
	if len(in.Salt) != len(receipt.Salt{}) || receipt.Input(receipt.Salt(in.Salt), in.Request) != in.Order.Input {
		return content{}, apierr.New(apierr.Invalid, "the order's input is not the commitment to salt and request")
	}
	return content{public: req, promptBound: req.PromptBound(), texts: uint64(len(req.Input)), container: req.Container != nil, stored: in.Request, salt: in.Salt}, nil
}

// shut checks a request that the coordinator may not read: that its form is
// right. Its miner compares what is in it with the order and with what is public.
func shut(in *api.SignedOrder, miners []common.Address) (content, error) {
	h := in.Sealed
	bad := func(format string, a ...any) (content, error) {
		return content{}, apierr.New(apierr.Invalid, format, a...)
	}
	p := h.Public
	probe := p
	probe.Prompt = "hidden"
	if err := sound(&probe); err != nil {
		return content{}, err
	}
	switch {
	case in.Salt != nil || in.Request != nil:
		return bad("a sealed order has no salt or request beside it")
	case p.Version != 1:
		return bad("signed.sealed.public is not of version 1")
	case p.Prompt != "" || p.Messages != nil || p.Input != nil || p.Container != nil || p.Stop != nil || p.Tools != nil || p.ResponseFormat != nil || p.Grammar != "" || p.Logprobs || p.TopLogprobs != 0:
		return bad("signed.sealed.public has content: seal it")
	case h.PromptBound == 0 || h.PromptBound > promptBoundMost:
		return bad("prompt_bound is from 1 to %d", promptBoundMost)
	case h.Container && h.Embeddings > 0:
		return bad("a job is for embeddings or a container")
	case h.Embeddings > maxInputs || h.Embeddings > 0 && p.MaxTokens > 1:
		return content{}, errEmbedding
	case len(h.Box.Content) > maxSealed:
		return content{}, apierr.New(apierr.TooLarge, "the sealed content has %d bytes; at most %d are taken", len(h.Box.Content), maxSealed)
	}
	if err := h.Box.Check(miners); err != nil {
		return bad("signed.sealed.box: %v", err)
	}
	stored, err := json.Marshal(h)
	if err != nil {
		return content{}, fmt.Errorf("encode request: %w", err)
	}
	return content{public: p, promptBound: h.PromptBound, texts: h.Embeddings, container: h.Container, stored: stored, salt: make([]byte, len(receipt.Salt{})), sealed: true}, nil
}

// checkSealingKey returns nil for a key of the right size, or none.
func checkSealingKey(key []byte) error {
	if len(key) != 0 && len(key) != sealed.PublicKeySize {
		return apierr.New(apierr.Invalid, "sealing_key has %d bytes: an X-Wing key has %d", len(key), sealed.PublicKeySize)
	}
	return nil
}
