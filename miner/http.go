package miner

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aitbc/aitbc/httpx"
)

// Health is the answer to GET /health.
type Health struct {
	Status  string   `json:"status"` // ok, waiting or down
	Phase   Phase    `json:"phase"`
	Reason  string   `json:"reason,omitempty"`
	Link    string   `json:"link"` // to the coordinator: up or down
	Models  []string `json:"models"`
	Running int      `json:"running"`
	Slots   int      `json:"slots"`
}

// Health returns a miner's health from its status.
func (st Status) Health() Health {
	h := Health{Status: "ok", Phase: st.Phase, Reason: st.Reason, Link: st.Link, Models: []string{}, Running: len(st.Running), Slots: st.Slots}
	switch {
	case st.Phase == Stopped:
		h.Status = "down"
	case st.Phase != Working || st.Reason != "" || st.Link != "up":
		h.Status = "waiting"
	}
	for _, o := range st.Offers {
		h.Models = append(h.Models, o.Model)
	}
	return h
}

// Handler serves GET /health, /status and /metrics. They need no key, so it
// belongs on a loopback address.
func (s *Service) Handler() http.Handler { return pages(s.Status, s.stats) }

func pages(status func() Status, stats *stats) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /health", httpx.Handler(func(w http.ResponseWriter, _ *http.Request) error {
		httpx.WriteJSON(w, http.StatusOK, status().Health())
		return nil
	}))
	mux.Handle("GET /status", httpx.Handler(func(w http.ResponseWriter, _ *http.Request) error {
		httpx.WriteJSON(w, http.StatusOK, status())
		return nil
	}))
	mux.Handle("GET /metrics", httpx.Handler(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if _, err := w.Write([]byte(status().metrics())); err != nil {
			return err
		}
		_, err := stats.set.WriteTo(w)
		return err
	}))
	return mux
}

// metrics writes the status in Prometheus' text format.
func (st Status) metrics() string {
	var b strings.Builder
	family := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	one := func(name, kind, help string, value any) {
		family(name, kind, help)
		fmt.Fprintf(&b, "%s %v\n", name, value)
	}
	up := 0
	if st.Link == "up" {
		up = 1
	}
	one("aitbc_miner_link_up", "gauge", "Whether the coordinator answers.", up)
	one("aitbc_miner_slots_count", "gauge", "Jobs that may run at a time.", st.Slots)
	one("aitbc_miner_free_slots", "gauge", "Jobs that could be taken now.", max(0, st.Slots-len(st.Running)))
	one("aitbc_miner_running_jobs", "gauge", "Jobs under way.", len(st.Running))
	family("aitbc_miner_jobs_total", "counter", "Jobs by outcome.")
	for _, outcome := range []string{outcomeCompleted, outcomeCanceled, outcomeFailed, outcomeLost} {
		fmt.Fprintf(&b, "aitbc_miner_jobs_total{outcome=%q} %d\n", outcome, st.Totals.Jobs[outcome])
	}
	family("aitbc_miner_tokens_total", "counter", "Tokens of completed jobs.")
	fmt.Fprintf(&b, "aitbc_miner_tokens_total{kind=\"prompt\"} %d\n", st.Totals.Usage.PromptTokens)
	fmt.Fprintf(&b, "aitbc_miner_tokens_total{kind=\"completion\"} %d\n", st.Totals.Usage.CompletionTokens)
	one("aitbc_miner_compute_seconds_total", "counter", "Time that completed jobs took.", st.Totals.Compute.Seconds())
	one("aitbc_miner_owed_units", "gauge", "Base units owed or paid in all, by the coordinator's word.", st.Owed)
	one("aitbc_miner_credited_units", "gauge", "Base units paid on the chain.", st.Credited)
	one("aitbc_miner_limit_units", "gauge", "Base units of bond set aside.", st.Limit)
	return b.String()
}
