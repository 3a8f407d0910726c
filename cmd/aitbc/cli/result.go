package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/internal/secret"
)

func resultCommand() command {
	return command{
		name: "result", args: "JOB", short: "print the answer of a job", min: 1, max: 1,
		long: `Waits for the end of the job and prints its answer. A sealed answer opens in
the home that ordered the job, once: what opens it is then forgotten. With
--dir the files that a program in a container left are written there.`,
		setup: func(fs *flag.FlagSet) runner {
			dir := fs.String("dir", "", "write the files of a container's job to this `directory`")
			return func(ctx context.Context, c *call) error { return c.result(ctx, *dir) }
		},
	}
}

// orderFile holds what opens the sealed answer of a job.
func (c *call) orderFile(job common.Hash) (string, error) {
	n, err := c.network()
	if err != nil {
		return "", err
	}
	return n.Home.Path("secrets", "orders", job.Hex()+".json"), nil
}

// keepOrder stores what opens a sealed answer until it was read.
func (c *call) keepOrder(o client.Order) error {
	if !o.Sealed() {
		return nil
	}
	path, err := c.orderFile(o.JobID)
	if err != nil {
		return err
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	if err := home.Make(n.Home.Secrets(), n.Home.Path("secrets", "orders")); err != nil {
		return err
	}
	raw, err := json.Marshal(o.Keep())
	if err != nil {
		return fmt.Errorf("keep order: %w", err)
	}
	return secret.WriteFile(path, secret.New(string(raw)))
}

func (c *call) forgetOrder(job common.Hash) error {
	path, err := c.orderFile(job)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget order: %w", err)
	}
	return nil
}

// noSealing reports whether a coordinator found no miner that can be sealed to.
func noSealing(err error) bool {
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok || e.Code != apierr.ModelNotFound {
		return false
	}
	reasons, _ := e.Details["reasons"].(map[string]any)
	_, is := reasons["sealing"]
	return is
}

func (c *call) result(ctx context.Context, dir string) error {
	id, err := hash("result", "job", c.args[0])
	if err != nil {
		return err
	}
	remote, err := c.account()
	if err != nil {
		return err
	}
	job, err := remote.Job(ctx, id)
	if err != nil {
		return err
	}
	follow := (&submitFlags{wait: true}).follow
	if job.Container {
		follow = (&runFlags{dir: dir}).follow
	}
	if !job.Sealed {
		return follow(ctx, c, ordered{id: id, watch: watching(remote, id)})
	}
	path, err := c.orderFile(id)
	if err != nil {
		return err
	}
	raw, err := secret.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return hint(errors.New("the answer is sealed, and what opens it is not here"), "only the home that ordered the job can read it, once")
	}
	if err != nil {
		return err
	}
	var kept client.Kept
	if err := api.Decode([]byte(raw.Reveal()), &kept); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	a, err := remote.Account(ctx)
	if err != nil {
		return err
	}
	s, err := c.signing(ctx, remote, a)
	if err != nil {
		return err
	}
	o, err := s.Resume(kept)
	if err != nil {
		return err
	}
	return follow(ctx, c, signedJob(c, s, o))
}
