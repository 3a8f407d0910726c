package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/receipt"
)

func (s *Server) submit(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	body, err := httpx.ReadBody(w, r, httpx.MaxBody)
	if err != nil {
		return err
	}
	var in api.SubmitRequest
	if err := decode(body, &in); err != nil {
		return err
	}
	j, err := s.svc.Submit(r.Context(), c, in, coordinator.Extras{IdemKey: r.Header.Get("Idempotency-Key"), Body: append([]byte("jobs\x00"), body...)})
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusAccepted, api.SubmitResponse{JobID: j.ID, State: s.svc.Describe(j).State})
	return nil
}

// decode reads one JSON value strictly; what is wrong with it is the client's to know.
func decode(body []byte, v any) error {
	if err := api.Decode(body, v); err != nil {
		return apierr.New(apierr.Invalid, "%v", err)
	}
	return nil
}

func (s *Server) jobs(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	list, err := s.svc.Jobs(r.Context(), c, n)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"jobs": list})
	return nil
}

func (s *Server) job(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	j, err := s.svc.Job(r.Context(), c, id)
	return httpx.Answer(w, j, err)
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	// A cancellation that was asked for is carried out even if the client goes.
	j, err := s.svc.Cancel(context.WithoutCancel(r.Context()), c, id)
	return httpx.Answer(w, j, err)
}

func (s *Server) result(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	out, err := s.svc.Result(r.Context(), c, id)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	out, err := s.svc.Explain(r.Context(), c, id)
	return httpx.Answer(w, out, err)
}

// events streams a job's timeline and tokens as server-sent events. A token's
// event id is its index, so Last-Event-ID resumes after it.
func (s *Server) events(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	from := 0
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.Atoi(last)
		if err != nil || n < 0 || n > 1<<30 {
			return apierr.New(apierr.Invalid, "Last-Event-ID is not the index of a token")
		}
		from = n + 1
	}
	if _, err := s.svc.Job(r.Context(), c, id); err != nil {
		return err
	}
	sse := newSSE(w)
	defer sse.close()
	sse.begin()
	next := uint64(from)
	ctx, cancel := s.waiting(r)
	defer cancel()
	j, err := s.svc.Follow(ctx, c, id, from, func(e api.Event) error {
		sse.more = e.More
		if e.Type == "token" {
			next = e.Index + 1
			return sse.send("token", strconv.FormatUint(e.Index, 10), e)
		}
		return sse.send(e.Type, "", e)
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil // the reader went away, or we do: it resumes with Last-Event-ID
		}
		return errors.Join(err, sse.send("error", "", map[string]string{"message": "internal error"}))
	}
	if next == 0 && j.Output != "" { // the job was over before we came
		if err := sse.send("token", "0", api.Event{Type: "token", Text: j.Output}); err != nil {
			return nil // the reader went away
		}
	}
	_ = sse.send("done", "", s.svc.Describe(j)) // the reader may be gone
	return nil
}

func (s *Server) receipts(w http.ResponseWriter, r *http.Request) error {
	c, err := s.either(r)
	if err != nil {
		return err
	}
	var list []*receipt.Bundle
	if text := r.URL.Query().Get("job_id"); text != "" {
		id, err := parseHash(text, "job_id")
		if err != nil {
			return err
		}
		b, err := s.svc.Receipt(r.Context(), c, id)
		if err != nil {
			return err
		}
		list = append(list, b)
	} else {
		n, err := limit(r)
		if err != nil {
			return err
		}
		var above uint64
		if text := r.URL.Query().Get("above"); text != "" {
			if above, err = strconv.ParseUint(text, 10, 63); err != nil {
				return apierr.New(apierr.Invalid, "above is not the number of an order")
			}
		}
		if list, err = s.svc.Receipts(r.Context(), c, n, above); err != nil {
			return err
		}
	}
	if list == nil {
		list = []*receipt.Bundle{}
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"receipts": list})
	return nil
}

func (s *Server) receipt(w http.ResponseWriter, r *http.Request) error {
	c, err := s.either(r)
	if err != nil {
		return err
	}
	id, err := pathID(r)
	if err != nil {
		return err
	}
	job, err := s.svc.JobOfReceipt(r.Context(), id)
	if err != nil {
		return err
	}
	b, err := s.svc.Receipt(r.Context(), c, job)
	return httpx.Answer(w, b, err)
}
