package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
)

// embeddingRequest is what OpenAI's clients send to /v1/embeddings.
type embeddingRequest struct {
	Model          string          `json:"model"`
	Input          json.RawMessage `json:"input"`
	EncodingFormat string          `json:"encoding_format"`
	Dimensions     *int            `json:"dimensions"`
	User           string          `json:"user"`
	MaxPrice       *market.Amount  `json:"max_price"` // ours
}

func (q *embeddingRequest) submit() (api.SubmitRequest, error) {
	out := api.SubmitRequest{Model: q.Model, MaxPrice: q.MaxPrice}
	var one string
	switch {
	case q.Dimensions != nil:
		return out, apierr.New(apierr.Invalid, "dimensions are the model's: leave it out")
	case q.EncodingFormat != "" && q.EncodingFormat != "float" && q.EncodingFormat != "base64":
		return out, apierr.New(apierr.Invalid, "encoding_format is %.20q: use float or base64", q.EncodingFormat)
	case json.Unmarshal(q.Input, &one) == nil:
		out.Input = []string{one}
	case json.Unmarshal(q.Input, &out.Input) != nil || len(out.Input) == 0:
		return out, apierr.New(apierr.Invalid, "input is neither a string nor a list of strings; tokens are not taken")
	}
	return out, nil
}

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	body, err := httpx.ReadBody(w, r, httpx.MaxBody)
	if err != nil {
		return err
	}
	var q embeddingRequest
	if err := decode(body, &q); err != nil {
		return err
	}
	in, err := q.submit()
	if err != nil {
		return err
	}
	j, err := s.order(w, r, c, in, coordinator.Extras{Body: append([]byte("embeddings\x00"), body...), Whole: true})
	if err != nil {
		return err
	}
	done, err := s.svc.Await(r.Context(), c, j.ID)
	if err != nil {
		return s.gone(r, c, j, err)
	}
	if err := failure(done); err != nil {
		return err
	}
	out, err := embedded(done, len(in.Input), q.EncodingFormat == "base64")
	return httpx.Answer(w, out, err)
}

// embedded shapes a job's embeddings of n texts as OpenAI's list.
func embedded(j *ledger.Job, n int, encoded bool) (object, error) {
	data, err := vectors(j.Output, n, encoded)
	return object{
		"object": "list", "model": j.Model, "data": data,
		"usage": object{"prompt_tokens": j.Usage.PromptTokens, "total_tokens": j.Usage.PromptTokens},
	}, err
}

// vectors cuts the output of a job into as many embeddings, which are all of one size.
func vectors(output string, n int, encoded bool) ([]object, error) {
	size := len(output) / n
	out := make([]object, n)
	for i := range out {
		text := output[i*size : (i+1)*size]
		v, err := api.DecodeVector(text)
		if err != nil || size*n != len(output) {
			return nil, fmt.Errorf("embeddings of %d bytes for %d texts", len(output), n) // no such job completes
		}
		out[i] = object{"object": "embedding", "index": i, "embedding": v}
		if encoded {
			out[i]["embedding"] = text
		}
	}
	return out, nil
}
