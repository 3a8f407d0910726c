package cli

import (
	"context"
	"sync"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/trace"
)

// traced runs a command as the first span of a trace, if the environment names a collector, and sends it before it returns.
func (c *call) traced(ctx context.Context, name string, run func(context.Context) error) error {
	t, err := trace.FromEnv(c.Getenv, "aitbc", buildVersion())
	if err != nil || t == nil {
		if err != nil {
			return err
		}
		return run(ctx)
	}
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = t.Run(sending, func(err error) { c.progress("aitbc: %v", err) }) // ends when it is told to
	})
	within, span := t.Start(trace.With(ctx, trace.Parse(c.Getenv("TRACEPARENT"))), trace.Client, name)
	err = run(within)
	if err != nil {
		span.Fail(string(apierr.Public(err).Code))
	}
	span.End()
	stop()
	wg.Wait()
	return err
}
