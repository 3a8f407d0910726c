package httpapi

import (
	"net/http"
	"strconv"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/httpx"
)

func pathSession(r *http.Request) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue("session"), 10, 63)
	if err != nil {
		return 0, apierr.New(apierr.Invalid, "the session is not a number")
	}
	return n, nil
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	out, err := s.svc.AccountSessions(r.Context(), c)
	return httpx.Answer(w, out, err)
}

func (s *Server) quote(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	var in api.QuoteRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.Quote(r.Context(), c, in)
	return httpx.Answer(w, out, err)
}

func (s *Server) vouch(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	session, err := pathSession(r)
	if err != nil {
		return err
	}
	var in api.VoucherRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.Vouch(r.Context(), c, session, in)
	return httpx.Answer(w, out, err)
}
