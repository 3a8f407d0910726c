package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aitbc/aitbc/apierr"
)

// metrics answers in Prometheus' text format, to this machine only.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return apierr.New(apierr.Forbidden, "metrics are for this machine only")
	}
	m := s.svc.Stats()
	compared, differences := s.svc.Reconciled()
	age := -1
	if !compared.IsZero() {
		age = int(time.Since(compared).Seconds())
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, g := range []struct {
		name, help string
		value      int
	}{
		{"aitbc_coordinator_queued_jobs", "Jobs that wait for a miner.", m.Queued},
		{"aitbc_coordinator_leased_jobs", "Jobs that a miner holds.", m.Leased},
		{"aitbc_coordinator_online_miners", "Miners that send heartbeats.", m.Online},
		{"aitbc_coordinator_reconciliation_difference", "Amounts that ledger and chain have differently, by a unit or more.", len(differences)},
		{"aitbc_coordinator_reconciliation_age_seconds", "Time since ledger and chain were compared, -1 before the first time.", age},
	} {
		if _, err := fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n%s %d\n", g.name, g.help, g.name, g.name, g.value); err != nil {
			return nil // the reader went away
		}
	}
	return nil
}
