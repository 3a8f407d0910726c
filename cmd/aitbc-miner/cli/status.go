package cli

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/miner"
)

func statusCommand() command {
	return command{name: "status", short: "Show what the running miner does", setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
		declareAddresses(fs)
		return func(ctx context.Context, c *call) error { return c.status(ctx) }
	}}
}

func (c *call) status(ctx context.Context) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	client, err := httpx.NewClient("http://" + set.Server.Addr)
	if err != nil {
		return err
	}
	var st miner.Status
	if _, err := client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/status", Timeout: 5 * time.Second}, &st); err != nil {
		return &hinted{fmt.Errorf("the miner does not answer: %w", err), "aitbc-miner start runs it"}
	}
	return c.print(st, table(st))
}

// table writes a status for people.
func table(st miner.Status) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("miner", "%s", st.Miner)
	row("phase", "%s", st.Phase)
	if st.Reason != "" {
		row("reason", "%s", st.Reason)
	}
	if len(st.Coordinators) == 0 {
		row("coordinator", "%s, %s", st.Coordinator, st.Link)
	}
	for _, j := range st.Coordinators {
		why := ""
		if j.Reason != "" {
			why = ": " + j.Reason
		}
		row("coordinator", "%s, %s, %s%s", j.URL, j.Link, j.Phase, why)
	}
	for _, o := range st.Offers {
		what := "model"
		if o.Kind == api.KindContainer {
			what = "image"
		}
		row(what, "%s at %s", o.Model, o.Describe())
	}
	row("running", "%d of %d", len(st.Running), st.Slots)
	for _, g := range st.GPUs {
		switch {
		case g.Held != "":
			row("GPU", "%d gets no more jobs: %s", g.Index, g.Held)
		case g.Slots > 0:
			row("GPU", "%d runs %d of %d", g.Index, g.Running, g.Slots)
		}
	}
	for _, r := range st.Running {
		row("job", "%s, %d pieces since %s", r.Job, r.Pieces, r.Started.Format(time.TimeOnly))
	}
	row("done", "%d completed, %d cancelled, %d failed, %d lost", st.Totals.Jobs["completed"], st.Totals.Jobs["canceled"], st.Totals.Jobs["failed"], st.Totals.Jobs["lost"])
	row("tokens", "%d prompt, %d completion", st.Totals.Usage.PromptTokens, st.Totals.Usage.CompletionTokens)
	row("earned", "%s, of which %s is paid on the chain", st.Owed.Coins(), st.Credited.Coins())
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
