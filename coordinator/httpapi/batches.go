package httpapi

import (
	"net/http"
	"slices"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/httpx"
)

// seconds is a time as OpenAI has it, nil for none.
func seconds(milli int64) any {
	if milli == 0 {
		return nil
	}
	return milli / 1000
}

// orNil is nil for an empty text.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// batch shapes a bulk as OpenAI's object.
func batch(b *ledger.Bulk) object {
	state := b.State
	if b.Open() && b.Cancel != 0 {
		state = ledger.BulkCancelling
	}
	ended := func(as string) any {
		if b.State != as {
			return nil
		}
		return seconds(b.Ended)
	}
	var errs any
	if len(b.Errors) > 0 {
		var data []object
		for _, e := range b.Errors {
			o := object{"code": e.Code, "message": e.Message, "param": orNil(e.Param), "line": nil}
			if e.Line > 0 {
				o["line"] = e.Line
			}
			data = append(data, o)
		}
		errs = object{"object": "list", "data": data}
	}
	var metadata any
	if b.Metadata != nil {
		metadata = b.Metadata
	}
	return object{
		"id": b.ID, "object": "batch", "endpoint": b.Endpoint, "errors": errs, "input_file_id": b.Input, "completion_window": b.Window, "status": state,
		"output_file_id": orNil(b.Output), "error_file_id": orNil(b.ErrorFile), "created_at": seconds(b.Created), "in_progress_at": seconds(b.Begun),
		"expires_at": seconds(b.Expires), "finalizing_at": seconds(b.Finishing), "completed_at": ended(ledger.BulkCompleted), "failed_at": ended(ledger.BulkFailed),
		"expired_at": ended(ledger.BulkExpired), "cancelling_at": seconds(b.Cancel), "cancelled_at": ended(ledger.BulkCancelled),
		"request_counts": object{"total": b.Total, "completed": b.Completed, "failed": b.Failed}, "metadata": metadata,
	}
}

// pageOf cuts a list as OpenAI's parameters limit, after and order say.
func pageOf[T any](r *http.Request, all []T, id func(T) string, most int, shape func(T) object) (object, error) {
	n, err := httpx.Limit(r, 20, most)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	switch order := q.Get("order"); order {
	case "", "desc":
	case "asc":
		slices.Reverse(all)
	default:
		return nil, apierr.New(apierr.Invalid, "order is %.20q: use asc or desc", order)
	}
	if after := q.Get("after"); after != "" {
		i := slices.IndexFunc(all, func(v T) bool { return id(v) == after })
		if i < 0 {
			return nil, apierr.New(apierr.NotFound, "after names nothing of this account's")
		}
		all = all[i+1:]
	}
	more := len(all) > n
	all = all[:min(n, len(all))]
	out := object{"object": "list", "data": []object{}, "first_id": nil, "last_id": nil, "has_more": more}
	for i, v := range all {
		if i == 0 {
			out["first_id"] = id(v)
		}
		out["last_id"] = id(v)
		out["data"] = append(out["data"].([]object), shape(v))
	}
	return out, nil
}

func (s *Server) createBatch(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	body, err := httpx.ReadBody(w, r, httpx.MaxBody)
	if err != nil {
		return err
	}
	var in struct {
		InputFileID        string            `json:"input_file_id"`
		Endpoint           string            `json:"endpoint"`
		CompletionWindow   string            `json:"completion_window"`
		Metadata           map[string]string `json:"metadata"`
		OutputExpiresAfter any               `json:"output_expires_after"`
	}
	if err := decode(body, &in); err != nil {
		return err
	}
	if in.OutputExpiresAfter != nil {
		return apierr.New(apierr.Invalid, "output_expires_after is not offered: output files are kept as long as all content")
	}
	b, err := s.svc.CreateBulk(r.Context(), c, coordinator.BulkRequest{
		Endpoint: in.Endpoint, Input: in.InputFileID, Window: in.CompletionWindow, Metadata: in.Metadata, IdemKey: r.Header.Get("Idempotency-Key"), Body: body,
	})
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, batch(b))
	return nil
}

func (s *Server) batches(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	all, err := s.svc.Bulks(r.Context(), c)
	if err != nil {
		return err
	}
	out, err := pageOf(r, all, func(b *ledger.Bulk) string { return b.ID }, 100, batch)
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) batch(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	b, err := s.svc.Bulk(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, batch(b))
	return nil
}

func (s *Server) cancelBatch(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	b, err := s.svc.CancelBulk(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, batch(b))
	return nil
}

// Translate reads a line of a batch as the endpoint of that name reads its body.
func Translate(endpoint string, body []byte) (coordinator.Line, error) {
	if endpoint == "/v1/embeddings" {
		var q embeddingRequest
		if err := decode(body, &q); err != nil {
			return coordinator.Line{}, err
		}
		in, err := q.submit()
		return coordinator.Line{
			Request: in, Extras: coordinator.Extras{Body: append([]byte("embeddings\x00"), body...)},
			Answer: func(j *ledger.Job) (any, error) { return embedded(j, len(in.Input), q.EncodingFormat == "base64") },
		}, err
	}
	var q openAIRequest
	if err := decode(body, &q); err != nil {
		return coordinator.Line{}, err
	}
	chat := endpoint == "/v1/chat/completions"
	in, err := q.submit(chat)
	if err != nil {
		return coordinator.Line{}, err
	}
	if q.Stream || in.Logprobs {
		return coordinator.Line{}, apierr.New(apierr.Invalid, "stream and logprobs are not offered in batches")
	}
	return coordinator.Line{
		Request: in, Extras: q.extras(body),
		Answer: func(j *ledger.Job) (any, error) { return newAnswer(j, chat, &q).whole(j, &spoken{}), nil },
	}, nil
}
