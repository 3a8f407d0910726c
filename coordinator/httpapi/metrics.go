package httpapi

import (
	"net"
	"net/http"

	"github.com/aitbc/aitbc/apierr"
)

// metrics answers in Prometheus' text format, to this machine only.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return apierr.New(apierr.Forbidden, "metrics are for this machine only")
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_ = s.svc.WriteMetrics(w) // the reader may be gone
	return nil
}
