package httpapi

import (
	"net/http"
	"strconv"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/httpx"
)

func parseAddress(text, name string) (common.Address, error) {
	if !common.IsHexAddress(text) || len(text) != 42 {
		return common.Address{}, apierr.New(apierr.Invalid, "%s is not 0x and 40 hex digits", name)
	}
	return common.HexToAddress(text), nil
}

// accountOf reads the account that a query names, zero if it names none.
func accountOf(r *http.Request) (common.Address, error) {
	text := r.URL.Query().Get("account")
	if text == "" {
		return common.Address{}, nil
	}
	return parseAddress(text, "account")
}

func (s *Server) adminAccounts(w http.ResponseWriter, r *http.Request, _ coordinator.Caller) error {
	out, err := s.svc.AdminAccounts(r.Context())
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) adminKeys(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	account, err := accountOf(r)
	if err != nil {
		return err
	}
	n, err := limit(r)
	if err != nil {
		return err
	}
	out, err := s.svc.AdminKeys(r.Context(), c, account, n)
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) adminRevoke(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return answered(w, http.StatusOK, map[string]string{"revoked": id.Hex()}, s.svc.AdminRevoke(r.Context(), c, id))
}

func (s *Server) adminMiners(w http.ResponseWriter, r *http.Request, _ coordinator.Caller) error {
	out, err := s.svc.AdminMiners(r.Context())
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) adminHold(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	miner, err := parseAddress(r.PathValue("miner"), "the miner")
	if err != nil {
		return err
	}
	var in api.HoldRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	return answered(w, http.StatusOK, in, s.svc.AdminHold(r.Context(), c, miner, in.Hold))
}

func (s *Server) adminJobs(w http.ResponseWriter, r *http.Request, _ coordinator.Caller) error {
	var session uint64
	if text := r.URL.Query().Get("session"); text != "" {
		var err error
		if session, err = strconv.ParseUint(text, 10, 63); err != nil {
			return apierr.New(apierr.Invalid, "the session is not a number")
		}
	}
	n, err := limit(r)
	if err != nil {
		return err
	}
	out, err := s.svc.AdminJobs(r.Context(), session, n)
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) adminLedger(w http.ResponseWriter, r *http.Request, _ coordinator.Caller) error {
	out, err := s.svc.AdminLedger(r.Context())
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) adminReconcile(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	out, err := s.svc.AdminReconcile(r.Context(), c)
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) adminAudit(w http.ResponseWriter, r *http.Request, _ coordinator.Caller) error {
	account, err := accountOf(r)
	if err != nil {
		return err
	}
	before, n, err := page(r)
	if err != nil {
		return err
	}
	out, err := s.svc.AdminAudit(r.Context(), account, before, n)
	return answered(w, http.StatusOK, out, err)
}
