package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/uuid"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/gbnf"
	"github.com/aitbc/aitbc/market"
)

// maxPrompt bounds a prompt read from standard input; the coordinator has its own limit.
const maxPrompt = 16 << 20

type submitFlags struct {
	model, system, class, idempotencyKey string
	stream, wait, noWait, raw, renew     bool
	unsealed                             bool
	maxTokens, maxSeconds, topK          uint64
	temperature, topP                    *float64
	seed                                 *uint64
	maxPrice                             *optionalAmount
	ttl                                  time.Duration
	stop                                 []string
	grammar                              string // path
	miners                               []common.Address
	weights                              []common.Hash
	gpu, region, route                   string
	vram                                 uint64
	reputation                           uint
}

func submitCommand() command {
	return command{
		name: "submit", args: "PROMPT|- --model M", short: "order a job", min: 1, max: 1,
		long: `Orders one job and prints its id. With --stream the answer is printed as it
comes, with --wait when it is complete; --json waits too unless --no-wait is
given. A prompt of "-" is read from standard input. The job costs at most
--max-price, and nothing if it fails.`,
		setup: func(fs *flag.FlagSet) runner {
			var f submitFlags
			fs.StringVar(&f.model, "model", "", "`name` of the model (aitbc models lists them)")
			fs.StringVar(&f.system, "system", "", "instructions put before the prompt")
			fs.BoolVar(&f.raw, "raw", false, "have the model continue the prompt rather than answer it")
			fs.BoolVar(&f.stream, "stream", false, "print the answer as it comes")
			fs.BoolVar(&f.wait, "wait", false, "print the answer when it is complete")
			fs.BoolVar(&f.noWait, "no-wait", false, "with --json: return at once")
			fs.Uint64Var(&f.maxTokens, "max-tokens", 0, "longest answer, in `tokens`")
			fs.Uint64Var(&f.maxSeconds, "max-seconds", 0, "longest computing at a price by the second (default 60), in `seconds`")
			fs.Func("temperature", "`randomness` from 0 to 2", floatInto(&f.temperature))
			fs.Func("top-p", "keep the likeliest tokens up to this `share`", floatInto(&f.topP))
			fs.Uint64Var(&f.topK, "top-k", 0, "keep the `N` likeliest tokens")
			fs.Func("seed", "`number` that fixes all chance", func(s string) error {
				n, err := strconv.ParseUint(s, 10, 64)
				if err != nil {
					return errors.New("want a whole number from 0")
				}
				f.seed = &n
				return nil
			})
			fs.Func("stop", "`text` that ends the answer; may be repeated", func(s string) error {
				f.stop = append(f.stop, s)
				return nil
			})
			fs.StringVar(&f.grammar, "grammar", "", "`file` with a grammar (GBNF, llama.cpp's notation) that the answer keeps to")
			f.declareOrder(fs)
			return func(ctx context.Context, c *call) error {
				return c.traced(ctx, "submit", func(ctx context.Context) error { return f.run(ctx, c) })
			}
		},
	}
}

// declareOrder declares what any order may say: what it may cost, and who may run it.
func (f *submitFlags) declareOrder(fs *flag.FlagSet) {
	f.maxPrice = amountFlag(fs, "max-price", "most that the job may cost, in `AITBC`")
	fs.DurationVar(&f.ttl, "ttl", 0, "give up after this `time`, such as 90s")
	fs.StringVar(&f.class, "class", "", "only this class of engine, by its `descriptor`")
	fs.Func("miner", "only this miner, by its `address`; may be repeated", func(s string) error {
		if !common.IsHexAddress(s) {
			return errors.New("want 0x and 40 hex digits")
		}
		f.miners = append(f.miners, common.HexToAddress(s))
		return nil
	})
	fs.Func("weights", "only a model with this `digest` of its weights; may be repeated", func(s string) error {
		var h common.Hash
		if err := h.UnmarshalText([]byte(s)); err != nil {
			return errors.New("want 0x and 64 hex digits")
		}
		f.weights = append(f.weights, h)
		return nil
	})
	fs.StringVar(&f.gpu, "gpu", "", "only miners that say they have this GPU, by a `word` of its name, such as h100")
	fs.Uint64Var(&f.vram, "min-vram", 0, "only miners that say their GPU has so many `GiB`")
	fs.StringVar(&f.region, "region", "", "only miners that say they are in this `region`")
	fs.UintVar(&f.reputation, "min-reputation", 0, "only miners with this reputation, in `thousandths`, from settled receipts")
	fs.StringVar(&f.route, "route", "", "`what` decides among idle miners: price (if left out), latency or throughput")
	fs.BoolVar(&f.renew, "renew", false, "if the session is spent or about to expire, open the next like it and order there")
	fs.BoolVar(&f.unsealed, "unsealed", false, "in a session for which you sign: let the coordinator read prompt and answer, which are sealed to the miner otherwise")
	fs.StringVar(&f.idempotencyKey, "idempotency-key", "", "repeating a submit with the same `key` orders no second job")
}

func floatInto(dst **float64) func(string) error {
	return func(s string) error {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || v != v {
			return errors.New("want a number")
		}
		*dst = &v
		return nil
	}
}

func (f *submitFlags) run(ctx context.Context, c *call) error {
	req, err := f.request(c)
	if err != nil {
		return err
	}
	job, err := f.place(ctx, c, req)
	if err != nil {
		return err
	}
	waiting := f.stream || f.wait || (c.json && !f.noWait)
	switch {
	case waiting:
		return f.follow(ctx, c, job)
	case c.json:
		return c.printJSON(api.SubmitResponse{JobID: job.id, State: market.Queued})
	}
	fmt.Fprintln(c.Stdout, job.id.Hex())
	c.progress("aitbc: next: aitbc result %s", job.id.Hex())
	return nil
}

// place orders a job, in the next session if there must be one.
func (f *submitFlags) place(ctx context.Context, c *call, req api.SubmitRequest) (ordered, error) {
	job, err := f.order(ctx, c, req)
	if f.renew && apierr.HasCode(err, apierr.Insufficient) {
		c.progress("aitbc: %v", err)
		quiet := *c
		quiet.Stdout = c.Stderr
		if err := quiet.renewSession(ctx, optionalAmount{}); err != nil {
			return ordered{}, err
		}
		job, err = f.order(ctx, c, req)
	}
	return job, err
}

// terms turns the flags of any order into what the coordinator is asked.
func (f *submitFlags) terms(command string) (api.SubmitRequest, error) {
	if f.ttl < 0 || f.ttl%time.Second != 0 {
		return api.SubmitRequest{}, usagef(command, "--ttl %s: want whole seconds", f.ttl)
	}
	if f.reputation > 1000 {
		return api.SubmitRequest{}, usagef(command, "--min-reputation %d: want thousandths, from 0 to 1000", f.reputation)
	}
	r := api.SubmitRequest{
		TTLSeconds: uint64(f.ttl / time.Second), Route: f.route,
		Constraints: api.Constraints{
			Miners: f.miners, Class: f.class, Models: f.weights, GPU: f.gpu, MinVRAMGB: f.vram, Region: f.region, MinReputation: uint32(f.reputation),
		},
	}
	if f.maxPrice.given {
		r.MaxPrice = &f.maxPrice.value
	}
	return r, nil
}

// ordered is a job, and how to wait for its end.
type ordered struct {
	id    common.Hash
	watch func(context.Context, func(api.Event) error) (api.Result, error)
	after func(context.Context) error // what is to be done then, or nil
}

// order orders a job: signed here if the session is so.
func (f *submitFlags) order(ctx context.Context, c *call, req api.SubmitRequest) (ordered, error) {
	remote, a, err := c.current(ctx)
	if err != nil {
		return ordered{}, err
	}
	if a.Mode == api.ModeSelf {
		return f.orderSigned(ctx, c, remote, a, req)
	}
	key := f.idempotencyKey
	if key == "" {
		key = uuid.NewString()
	}
	job, err := remote.Submit(ctx, req, key)
	return ordered{id: job.JobID, watch: watching(remote, job.JobID)}, err
}

func watching(remote *client.Client, id common.Hash) func(context.Context, func(api.Event) error) (api.Result, error) {
	return func(ctx context.Context, fn func(api.Event) error) (api.Result, error) {
		if err := remote.Follow(ctx, id, fn); err != nil {
			return api.Result{}, err
		}
		return remote.Result(ctx, id)
	}
}

func (f *submitFlags) orderSigned(ctx context.Context, c *call, remote *client.Client, a api.Account, req api.SubmitRequest) (ordered, error) {
	if f.idempotencyKey != "" {
		return ordered{}, usagef("submit", "--idempotency-key: each order of session %d is signed here, once; it goes with sessions for which the coordinator signs", a.Session)
	}
	s, err := c.signing(ctx, remote, a)
	if err != nil {
		return ordered{}, err
	}
	s.Plain = f.unsealed
	o, err := s.Submit(ctx, req)
	if errors.Is(err, client.ErrNoSealing) || noSealing(err) {
		return ordered{}, hint(err, "no miner on offer can be sealed to; --unsealed lets the coordinator read prompt and answer")
	}
	if err != nil {
		return ordered{}, err
	}
	if err := c.keepOrder(o); err != nil {
		return ordered{}, err
	}
	c.progress("aitbc: signed order %d of session %d, for at most %s", o.Number, o.Session, o.MaxPrice.Coins())
	return signedJob(c, s, o), nil
}

// signedJob is an order that was signed here: its answer is checked, and a
// voucher signed for it.
func signedJob(c *call, s *client.Session, o client.Order) ordered {
	return ordered{
		id: o.JobID,
		watch: func(ctx context.Context, fn func(api.Event) error) (api.Result, error) {
			a, err := s.Follow(ctx, o, fn)
			return a.Result, err
		},
		after: func(ctx context.Context) error {
			_, err := s.Vouch(ctx)
			return errors.Join(err, c.forgetOrder(o.JobID))
		},
	}
}

// request turns the flags into what the coordinator is asked.
func (f *submitFlags) request(c *call) (api.SubmitRequest, error) {
	if f.model == "" {
		return api.SubmitRequest{}, usagef("submit", "--model is missing; aitbc models lists what is on offer")
	}
	r, err := f.terms("submit")
	if err != nil {
		return r, err
	}
	if f.topK > 1<<31 {
		return api.SubmitRequest{}, usagef("submit", "--top-k %d is too large", f.topK)
	}
	prompt := c.args[0]
	if prompt == "-" {
		b, err := io.ReadAll(io.LimitReader(c.Stdin, maxPrompt+1))
		if err != nil {
			return api.SubmitRequest{}, fmt.Errorf("read prompt: %w", err)
		}
		if len(b) > maxPrompt {
			return api.SubmitRequest{}, fmt.Errorf("the prompt is longer than %d bytes", maxPrompt)
		}
		prompt = string(b)
	}
	if prompt == "" {
		return api.SubmitRequest{}, usagef("submit", "the prompt is empty")
	}
	if f.raw && f.system != "" {
		return api.SubmitRequest{}, usagef("submit", "--raw and --system exclude each other")
	}
	if r.Grammar, err = f.readGrammar(); err != nil {
		return r, err
	}
	r.Model, r.MaxTokens, r.MaxSeconds, r.Temperature, r.TopP, r.TopK, r.Seed, r.Stop = f.model, f.maxTokens, f.maxSeconds, f.temperature, f.topP, uint32(f.topK), f.seed, f.stop
	if f.system != "" {
		r.Messages = append(r.Messages, api.Message{Role: "system", Content: f.system})
	}
	if f.raw {
		r.Prompt = prompt
	} else {
		r.Messages = append(r.Messages, api.Message{Role: "user", Content: prompt})
	}
	return r, nil
}

// readGrammar reads the grammar's file, if there is one. What is wrong with it is said here,
// before anything is ordered: the coordinator of a sealed job could not.
func (f *submitFlags) readGrammar() (string, error) {
	if f.grammar == "" {
		return "", nil
	}
	file, err := os.Open(f.grammar)
	if err != nil {
		return "", fmt.Errorf("read grammar: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, gbnf.MaxBytes+1))
	if err != nil {
		return "", fmt.Errorf("read grammar: %w", err)
	}
	if _, err := gbnf.Compile(string(text)); err != nil {
		return "", fmt.Errorf("%s: %w", f.grammar, err)
	}
	return string(text), nil
}

// submitResult is what submit --json prints.
type submitResult struct {
	JobID     common.Hash     `json:"job_id"`
	State     market.JobState `json:"state"`
	Model     string          `json:"model"`
	Output    string          `json:"output"`
	Usage     market.Usage    `json:"usage"`
	Price     market.Amount   `json:"price"`
	Fee       market.Amount   `json:"fee"`
	ReceiptID *common.Hash    `json:"receipt_id"`
	Finish    string          `json:"finish_reason,omitempty"`
	Error     *api.Failure    `json:"error,omitempty"`
}

// follow waits for the end of a job, printing tokens on the way if asked to.
func (f *submitFlags) follow(ctx context.Context, c *call, job ordered) error {
	live := f.stream && !c.json
	c.progress("aitbc: job %s", job.id.Hex())
	var next uint64 // index of the token to come
	r, err := job.watch(ctx, func(e api.Event) error {
		if live && e.Type == "token" {
			if e.Index < next { // another miner took the job over
				c.progress("\naitbc: the miner was lost; the job starts again")
			}
			next = e.Index + 1
			if _, err := io.WriteString(c.Stdout, printableText(e.Text)); err != nil {
				return fmt.Errorf("print: %w", err)
			}
		}
		return nil
	})
	if live {
		fmt.Fprintln(c.Stdout)
	}
	if errors.Is(err, client.ErrDisagree) {
		return hint(err, "nothing was signed for it but the order: keep what aitbc receipts --job-id %s prints", job.id.Hex())
	}
	if err != nil {
		return hint(err, "the job goes on: aitbc status %s", job.id.Hex())
	}
	if job.after != nil {
		if err := job.after(ctx); err != nil { // the order alone pays, too
			c.progress("aitbc: no voucher was signed: %v", err)
		}
	}
	switch {
	case c.json:
		err = c.printJSON(submitResult{
			JobID: r.JobID, State: r.State, Model: r.Model, Output: r.Output, Usage: r.Usage,
			Price: r.Price, Fee: r.Fee, ReceiptID: r.ReceiptID, Finish: r.FinishReason, Error: r.Error,
		})
	case !live && r.Output != "":
		_, err = fmt.Fprintln(c.Stdout, printableText(r.Output))
	}
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if r.State != market.Completed {
		return jobError(r.Job)
	}
	c.progress("aitbc: %d + %d tokens for %s; receipt %s", r.Usage.PromptTokens, r.Usage.CompletionTokens, r.Price.Coins(), idOrDash(r.ReceiptID))
	return nil
}

// jobError words the end of a job that did not complete.
func jobError(j api.Job) error {
	err := fmt.Errorf("job %s %s", j.JobID.Hex(), j.State)
	if j.Error != nil {
		err = fmt.Errorf("%w: %s (%s)", err, printable(j.Error.Message), printable(j.Error.Code))
	}
	if j.Price.IsZero() {
		return hint(err, "it cost nothing")
	}
	return hint(err, "it cost %s for what was delivered", j.Price.Coins())
}

func idOrDash(h *common.Hash) string {
	if h == nil {
		return "-"
	}
	return h.Hex()
}
