package miner

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/sealed"
)

// unseal puts salt and request of a sealed job into its assignment, in memory.
func (s *Service) unseal(a *api.Assignment) (*sealed.Answer, error) {
	if s.cfg.Sealing == nil {
		return nil, &refusal{"sealed", "this miner has no sealing key", true}
	}
	plain, answer, err := s.cfg.Sealing.Open(a.JobID, a.Sealed.Content, a.Sealed.Wrap)
	if err != nil {
		return nil, &refusal{"sealed", "the job is not sealed to this miner's key", true}
	}
	salt := len(receipt.Salt{})
	if len(plain) < salt {
		return nil, refuse("bad_request", "the sealed request cannot be read")
	}
	public := a.Request
	a.Salt, a.Request = plain[:salt], plain[salt:]
	var req api.Request
	if err := api.Decode(a.Request, &req); err != nil {
		return nil, refuse("bad_request", "the sealed request cannot be read")
	}
	want, err := json.Marshal(req.Public())
	if err != nil || !bytes.Equal(public, want) {
		return nil, refuse("bad_request", "what is public of the request is not what is sealed")
	}
	return answer, nil
}

// seal returns a piece as the coordinator may see it: its place, and whether it
// is a token.
func seal(a *sealed.Answer, p api.Piece) (api.Piece, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return api.Piece{}, fmt.Errorf("encode piece: %w", err)
	}
	return api.Piece{Index: p.Index, Text: base64.StdEncoding.EncodeToString(a.Seal(p.Index, plain)) + "\n", Token: p.ID != nil}, nil
}
