package httpapi

import (
	"net/http"
	"strconv"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/httpx"
)

func (s *Server) loginNonce(w http.ResponseWriter, _ *http.Request) error {
	out, err := s.svc.LoginNonce()
	return answered(w, http.StatusOK, out, err)
}

// answered writes what a service returned.
func answered(w http.ResponseWriter, status int, v any, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, status, v)
	return nil
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	var in api.LoginRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.Login(r.Context(), in)
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	out, err := s.svc.Keys(r.Context(), c)
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) createKey(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	var in api.CreateKeyRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.CreateKey(r.Context(), c, in)
	return answered(w, http.StatusCreated, out, err)
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return answered(w, http.StatusOK, map[string]string{"revoked": id.Hex()}, s.svc.RevokeKey(r.Context(), c, id))
}

func (s *Server) audit(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	before, n, err := page(r)
	if err != nil {
		return err
	}
	out, err := s.svc.Audit(r.Context(), c, before, n)
	return answered(w, http.StatusOK, out, err)
}

// page reads which part of a log is wanted.
func page(r *http.Request) (before uint64, n int, err error) {
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseUint(text, 10, 63); err != nil {
			return 0, 0, apierr.New(apierr.Invalid, "before is not the number of a record")
		}
	}
	n, err = limit(r)
	return before, n, err
}
