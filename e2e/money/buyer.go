package money

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"
)

// Way is how a job is bought.
type Way string

// The ways.
const (
	Whole    Way = "whole"    // a chat completion in one piece
	Stream   Way = "stream"   // streamed, to the end
	Abort    Way = "abort"    // streamed, and the client goes away in the middle
	Job      Way = "job"      // POST /v1/jobs, and nobody looks at it
	Cancel   Way = "cancel"   // POST /v1/jobs, and then DELETE
	Twice    Way = "twice"    // two requests at once, with the same key
	Dear     Way = "dear"     // for less than it may cost
	Changed  Way = "changed"  // an Idempotency-Key again, with another body
	Fail     Way = "fail"     // the engine refuses, always
	FailOnce Way = "failonce" // and only at first
	Cut      Way = "cut"      // the engine breaks off in the middle, at first
)

// ways are drawn from this list: what is often used is often in it.
var ways = []Way{Whole, Whole, Whole, Stream, Stream, Stream, Abort, Abort, Job, Job, Cancel, Cancel, Twice, Dear, Changed, Fail, FailOnce, Cut}

// Purchase is what a buyer knows of a job that the coordinator acknowledged.
type Purchase struct {
	Way  Way
	ID   common.Hash
	Fate Fate
	// Answered says that the client read the whole answer.
	Answered bool
}

// Buyer buys jobs from a coordinator with an API key.
type Buyer struct {
	URL, Key string
	HTTP     *http.Client
	Rand     *rand.Rand
	Name     string // of which all its Idempotency-Keys begin
	// Limited says that the key has a budget. Refused counts what that did not pay for.
	Limited bool
	Refused int
	Bought  []common.Hash
	count   int
}

// Stream buys a streamed answer of so many words.
func (b *Buyer) Stream(ctx context.Context, words int) (*Purchase, error) {
	b.count++
	p := &Purchase{Way: Stream, Fate: Fate{ID: fmt.Sprintf("%s-%d", b.Name, b.count), Words: words}}
	return p, b.chat(ctx, p, true, -1)
}

// errAway says that the coordinator could not be asked, or said that it could not serve now: it may be restarting.
var errAway = errors.New("the coordinator is away")

// errSpent says that the budget or the session does not pay for the job.
var errSpent = errors.New("nothing is left to pay for it")

// Buy buys one job in one of the ways and returns what came of it: nil when nothing was acknowledged that has to end.
func (b *Buyer) Buy(ctx context.Context) (*Purchase, error) {
	b.count++
	p := &Purchase{Way: ways[b.Rand.IntN(len(ways))], Fate: Fate{ID: fmt.Sprintf("%s-%d", b.Name, b.count), Words: 1 + b.Rand.IntN(24)}}
	switch p.Way {
	case Fail:
		p.Fate.Fail = 100
	case FailOnce:
		p.Fate.Fail = 1
	case Cut:
		p.Fate.Cut, p.Fate.Words = 1, p.Fate.Words+4
	case Abort, Cancel:
		p.Fate.Pause = b.Rand.IntN(20)
	case Whole, Stream, Job, Twice, Dear, Changed:
	}
	for try := 0; ; try++ {
		err := b.try(ctx, p)
		if b.Limited && errors.Is(err, errSpent) {
			b.Refused++
			if p.ID != (common.Hash{}) {
				return p, fmt.Errorf("%s (%s): refused, but taken as job %s", p.Fate.ID, p.Way, p.ID)
			}
			return p, nil
		}
		if !errors.Is(err, errAway) {
			if p.ID != (common.Hash{}) {
				b.Bought = append(b.Bought, p.ID)
			}
			return p, err
		}
		if try == 300 {
			return p, fmt.Errorf("%s: away for too long: %w", p.Fate.ID, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
}

// try asks once. A job keeps its key from try to try, so that it is bought once.
func (b *Buyer) try(ctx context.Context, p *Purchase) error {
	switch p.Way {
	case Job, Cancel:
		return b.job(ctx, p)
	case Dear:
		return b.dear(ctx, p)
	case Twice:
		second := *p
		var both errgroup.Group
		both.Go(func() error { return b.chat(ctx, &second, false, -1) })
		err := errors.Join(b.chat(ctx, p, false, -1), both.Wait())
		if b.Limited && errors.Is(err, errSpent) && (p.ID == common.Hash{}) != (second.ID == common.Hash{}) {
			// One came while nothing was left, the other when a job had given some back.
			if p.ID == (common.Hash{}) {
				p.ID = second.ID
			}
			return nil
		}
		if err == nil && second.ID != p.ID {
			return fmt.Errorf("%s: one key, two jobs: %s and %s", p.Fate.ID, p.ID, second.ID)
		}
		if errors.Is(err, errAway) {
			return errAway
		}
		return err
	case Changed:
		if err := b.chat(ctx, p, false, -1); err != nil {
			return err
		}
		other := *p
		other.Fate.Words++
		code, err := b.status(ctx, "/v1/chat/completions", b.body(&other, true), p.Fate.ID)
		if err == nil && code != http.StatusConflict {
			return fmt.Errorf("%s: another body with the same key is answered with %d, not 409", p.Fate.ID, code)
		}
		return err
	case Abort:
		return b.chat(ctx, p, true, b.Rand.IntN(p.Fate.Words+1))
	case Stream:
		return b.chat(ctx, p, true, -1)
	case Whole, Fail, FailOnce, Cut:
		return b.chat(ctx, p, false, -1)
	}
	return fmt.Errorf("no such way: %s", p.Way)
}

func (b *Buyer) body(p *Purchase, chat bool) map[string]any {
	fate, _ := json.Marshal(p.Fate) //nolint:errchkjson // plain fields
	body := map[string]any{"model": Model, "messages": []map[string]string{{"role": "user", "content": string(fate)}}, "max_tokens": 64}
	if !chat {
		body["ttl_seconds"] = 120
	}
	return body
}

// status posts, and returns how that was answered.
func (b *Buyer) status(ctx context.Context, path string, body any, key string) (int, error) {
	res, err := b.ask(ctx, http.MethodPost, path, body, key)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() //nolint:errcheck // it is read
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, fmt.Errorf("%w: %w", errAway, err)
	}
	return res.StatusCode, nil
}

func (b *Buyer) ask(ctx context.Context, method, path string, body any, key string) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, b.URL+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Api-Key", b.Key)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := b.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	if res.StatusCode == http.StatusPaymentRequired {
		return nil, errors.Join(errSpent, res.Body.Close())
	}
	if res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusBadGateway {
		raw, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
		_ = res.Body.Close()
		if p := res.Header.Get("X-Aitbc-Job"); p != "" {
			return &http.Response{StatusCode: res.StatusCode, Header: res.Header, Body: http.NoBody}, nil // a job that failed, by this error
		}
		return nil, fmt.Errorf("%w: %d %s", errAway, res.StatusCode, raw)
	}
	return res, nil
}

// chat buys a chat completion. It goes away after so many pieces of a stream, unless that is negative.
func (b *Buyer) chat(ctx context.Context, p *Purchase, stream bool, leave int) error {
	body := b.body(p, true)
	if stream {
		body["stream"] = true
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := b.ask(own, http.MethodPost, "/v1/chat/completions", body, p.Fate.ID)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it is read
	if id := res.Header.Get("X-Aitbc-Job"); id != "" {
		p.ID = common.HexToHash(id)
	}
	if p.ID == (common.Hash{}) {
		raw, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
		return fmt.Errorf("%s (%s): no job: %d %s", p.Fate.ID, p.Way, res.StatusCode, raw)
	}
	if !stream {
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return fmt.Errorf("%w: %w", errAway, err)
		}
		return b.whole(p, res.StatusCode, raw)
	}
	return b.read(p, res.Body, leave)
}

// read reads a stream until it ends or the client leaves. A stream that says that it is complete must be.
func (b *Buyer) read(p *Purchase, body io.Reader, leave int) error {
	lines := bufio.NewScanner(body)
	var text strings.Builder
	for pieces := 0; lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			if n := len(strings.Fields(text.String())); n != p.Fate.Words {
				return fmt.Errorf("%s: a stream of %d words ends as if complete after %d", p.Fate.ID, p.Fate.Words, n)
			}
			p.Answered = true
			return nil
		}
		if pieces++; leave >= 0 && pieces > leave {
			return nil // gone
		}
		var piece struct {
			Choices []struct{ Delta struct{ Content string } }
			Error   *struct{ Message string }
		}
		if err := json.Unmarshal([]byte(data), &piece); err != nil {
			return fmt.Errorf("%s: a piece that is none: %s", p.Fate.ID, data)
		}
		if piece.Error != nil {
			return nil // a job that failed; what it cost shows in the books
		}
		for _, c := range piece.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	return nil // cut off, by a kill: the job is known and will end, with or without its client
}

// whole checks an answer in one piece.
func (b *Buyer) whole(p *Purchase, status int, raw []byte) error {
	if status != http.StatusOK {
		return nil // a job that failed, or that ended while its client was away
	}
	var a struct {
		Choices []struct{ Message struct{ Content string } }
		Usage   struct {
			PromptTokens     int `json:"prompt_tokens"`
			CompletionTokens int `json:"completion_tokens"`
		}
	}
	if err := json.Unmarshal(raw, &a); err != nil || len(a.Choices) != 1 {
		return fmt.Errorf("%s: an answer that is none: %s", p.Fate.ID, raw)
	}
	if n := len(strings.Fields(a.Choices[0].Message.Content)); n != p.Fate.Words || a.Usage.CompletionTokens != n || a.Usage.PromptTokens != promptTokens {
		return fmt.Errorf("%s: %d words, usage %+v, for %d", p.Fate.ID, n, a.Usage, p.Fate.Words)
	}
	p.Answered = true
	return nil
}

// job orders without waiting, and cancels where that is the way.
func (b *Buyer) job(ctx context.Context, p *Purchase) error {
	res, err := b.ask(ctx, http.MethodPost, "/v1/jobs", b.body(p, false), p.Fate.ID)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it is read
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	var out struct {
		JobID common.Hash `json:"job_id"`
	}
	if err := json.Unmarshal(raw, &out); err != nil || out.JobID == (common.Hash{}) {
		return fmt.Errorf("%s: no job: %d %s", p.Fate.ID, res.StatusCode, raw)
	}
	p.ID = out.JobID
	if p.Way != Cancel {
		return nil
	}
	select {
	case <-time.After(time.Duration(b.Rand.IntN(60)) * time.Millisecond):
	case <-ctx.Done():
	}
	gone, err := b.ask(ctx, http.MethodDelete, "/v1/jobs/"+p.ID.Hex(), nil, "")
	if err != nil {
		return err
	}
	return gone.Body.Close()
}

// dear orders an answer that may cost more than the job's highest price: that is refused, and leaves nothing.
func (b *Buyer) dear(ctx context.Context, p *Purchase) error {
	body := b.body(p, false)
	body["max_tokens"] = 512
	body["max_price"] = "1" // far less than the answer may cost
	code, err := b.status(ctx, "/v1/jobs", body, p.Fate.ID)
	if err == nil && (code < 400 || code >= 500) {
		return fmt.Errorf("%s: a job that cannot be paid is answered with %d", p.Fate.ID, code)
	}
	return err
}
