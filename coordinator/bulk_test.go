package coordinator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

type fileObject struct {
	ID, Object, Filename, Purpose, Status string
	Bytes, CreatedAt                      int64
	ExpiresAt                             int64 `json:"expires_at"`
}

type batchObject struct {
	ID, Object, Endpoint, Status string
	InputFileID                  string                                 `json:"input_file_id"`
	OutputFileID                 string                                 `json:"output_file_id"`
	ErrorFileID                  string                                 `json:"error_file_id"`
	CompletedAt                  int64                                  `json:"completed_at"`
	RequestCounts                struct{ Total, Completed, Failed int } `json:"request_counts"`
	Errors                       *struct {
		Data []struct {
			Code string
			Line int
		}
	}
	Metadata map[string]string
}

type outputLine struct {
	ID       string
	CustomID string `json:"custom_id"`
	Response *struct {
		StatusCode int    `json:"status_code"`
		RequestID  string `json:"request_id"`
		Body       struct {
			Object  string
			Choices []struct {
				Text    string
				Message struct{ Content string }
			}
			Usage struct {
				TotalTokens int `json:"total_tokens"`
			}
			Data  []struct{ Embedding []float32 }
			Error *struct{ Code, Message string }
		}
	}
	Error *struct{ Code, Message string }
}

// upload sends a form with a file.
func (h *house) upload(key, content string, fields map[string]string) (int, []byte) {
	h.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			h.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "in.jsonl")
	if err == nil {
		_, err = part.Write([]byte(content))
	}
	if err != nil || w.Close() != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.srv.URL+"/v1/files", &form)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("X-Api-Key", key)
	resp, err := h.srv.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(resp.Body); err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, raw.Bytes()
}

func (h *house) put(content string) fileObject {
	h.t.Helper()
	status, raw := h.upload(h.key, content, map[string]string{"purpose": "batch"})
	var f fileObject
	if err := json.Unmarshal(raw, &f); status != 200 || err != nil {
		h.t.Fatalf("%d %s", status, raw)
	}
	return f
}

// chats makes a file of n lines that ask the model.
func chats(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"custom_id":"line-%d","method":"POST","url":"/v1/chat/completions","body":{"model":%q,"max_tokens":4,"messages":[{"role":"user","content":"planted question %d"}]}}`+"\n", i, modelName, i)
	}
	return b.String()
}

func (h *house) batch(key string, f fileObject, endpoint string) batchObject {
	h.t.Helper()
	return must[batchObject](h, 200, key, "POST", "/v1/batches", map[string]any{"input_file_id": f.ID, "endpoint": endpoint, "completion_window": "24h", "metadata": map[string]string{"a": "b"}})
}

// ended waits for a batch's end.
func (h *house) ended(id string) (b batchObject) {
	h.t.Helper()
	h.eventually("the end of the batch", func() bool {
		b = must[batchObject](h, 200, h.key, "GET", "/v1/batches/"+id, nil)
		return b.OutputFileID != "" || b.ErrorFileID != "" || b.Status == "failed" || b.Status == "cancelled"
	})
	return b
}

// lines reads an output file by custom id.
func (h *house) lines(file string) map[string]outputLine {
	h.t.Helper()
	out := map[string]outputLine{}
	if file == "" {
		return out
	}
	status, raw := h.call(h.key, "GET", "/v1/files/"+file+"/content", nil)
	if status != 200 {
		h.t.Fatalf("%d %s", status, raw)
	}
	for line := range bytes.Lines(raw) {
		var l outputLine
		if err := json.Unmarshal(line, &l); err != nil {
			h.t.Fatalf("%v in %s", err, line)
		}
		if _, twice := out[l.CustomID]; twice {
			h.t.Fatalf("%s twice", l.CustomID)
		}
		out[l.CustomID] = l
	}
	return out
}

// serve has a miner answer whatever comes until the returned function is called. It counts the answers to each request.
func (r *rig) serve() (stop func() map[string]int) {
	ctx, cancel := context.WithCancel(r.h.t.Context())
	var wg sync.WaitGroup
	counts := map[string]int{}
	wg.Go(func() {
		for ctx.Err() == nil {
			status, raw := r.h.call(r.api, "GET", "/v1/miners/jobs?wait=1", nil)
			if status != 200 {
				r.h.call(r.api, "POST", "/v1/miners/heartbeat", api.HeartbeatRequest{FreeSlots: 1})
				continue
			}
			var a api.Assignment
			if err := json.Unmarshal(raw, &a); err != nil {
				r.h.t.Error(err)
				return
			}
			counts[string(a.Request)]++
			r.h.call(r.api, "POST", r.path(a, "stream?lease="+a.Lease), lines("ans", "wer"))
			r.h.call(r.api, "POST", r.path(a, "result"), r.signed(a, r.receiptFor(a, 2), "stop"))
		}
	})
	return sync.OnceValue(func() map[string]int { cancel(); wg.Wait(); return counts })
}

func TestBatchRunsAsOpenAIHasIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	f := h.put(chats(20) + `{"custom_id":"bad","method":"POST","url":"/v1/chat/completions","body":{"model":"tiny","n":3,"messages":[{"role":"user","content":"x"}]}}` + "\n")
	if f.Object != "file" || f.Filename != "in.jsonl" || f.Purpose != "batch" || f.Bytes == 0 || f.ExpiresAt == 0 {
		t.Fatalf("%+v", f)
	}
	stop := m.serve()
	b := h.batch(h.key, f, "/v1/chat/completions")
	if b.Object != "batch" || b.InputFileID != f.ID || b.Metadata["a"] != "b" {
		t.Fatalf("%+v", b)
	}
	b = h.ended(b.ID)
	stop()
	if b.Status != "completed" || b.RequestCounts.Total != 21 || b.RequestCounts.Completed != 20 || b.RequestCounts.Failed != 1 || b.CompletedAt == 0 {
		t.Fatalf("%+v", b)
	}
	out := h.lines(b.OutputFileID)
	for n := range 20 {
		l := out[fmt.Sprintf("line-%d", n)]
		if l.Response == nil || l.Response.StatusCode != http.StatusOK || l.Error != nil || l.Response.Body.Object != "chat.completion" || l.Response.Body.Choices[0].Message.Content != "answer" || l.Response.Body.Usage.TotalTokens != 7 {
			t.Fatalf("line %d: %+v", n, l)
		}
	}
	if bad := h.lines(b.ErrorFileID)["bad"]; len(out) != 20 || bad.Response == nil || bad.Response.StatusCode != http.StatusBadRequest || bad.Response.Body.Error == nil {
		t.Fatalf("%d lines, %+v", len(out), bad)
	}
	if list := must[struct{ Data []batchObject }](h, 200, h.key, "GET", "/v1/batches?limit=1", nil).Data; len(list) != 1 || list[0].ID != b.ID {
		t.Fatalf("%+v", list)
	}
	files := must[struct {
		Data    []fileObject
		HasMore bool `json:"has_more"`
	}](h, 200, h.key, "GET", "/v1/files?limit=2&order=asc", nil)
	if len(files.Data) != 2 || files.Data[0].ID != f.ID || !files.HasMore {
		t.Fatalf("%+v", files)
	}
	if rest := must[struct{ Data []fileObject }](h, 200, h.key, "GET", "/v1/files?purpose=batch_output&after="+b.OutputFileID, nil).Data; len(rest) > 1 {
		t.Fatalf("%+v", rest)
	}
	must[struct{ Deleted bool }](h, 200, h.key, "DELETE", "/v1/files/"+f.ID, nil)
	openAIRefused(h, 404, "GET", "/v1/files/"+f.ID, nil)
	openAIRefused(h, 409, "POST", "/v1/batches/"+b.ID+"/cancel", nil)
	h.balanced()
}

// openAIRefused wants an error in OpenAI's shape.
func openAIRefused(h *house, status int, method, path string, body any) {
	h.t.Helper()
	got, raw := h.call(h.key, method, path, body)
	var e struct {
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal(raw, &e); err != nil || got != status || e.Error.Type == "" {
		h.t.Fatalf("%s %s: %d %s, want %d", method, path, got, raw, status)
	}
}

func TestEmbeddingsAndCompletionsInBatches(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	m.register(offer(func(o *api.Offer) { o.Embeddings = true }))
	f := h.put(fmt.Sprintf(`{"custom_id":"e","method":"POST","url":"/v1/embeddings","body":{"model":%q,"input":["a","b"]}}`, modelName))
	b := h.batch(h.key, f, "/v1/embeddings")
	m.say(0, api.Piece{Text: api.EncodeVector([]float32{0.6, 0.8})}, api.Piece{Text: api.EncodeVector([]float32{1, 0})})
	if l := h.lines(h.ended(b.ID).OutputFileID)["e"]; l.Response == nil || len(l.Response.Body.Data) != 2 || l.Response.Body.Data[1].Embedding[0] != 1 {
		t.Fatalf("%+v", l)
	}
	f = h.put(fmt.Sprintf(`{"custom_id":"c","method":"POST","url":"/v1/completions","body":{"model":%q,"prompt":"x","max_tokens":4}}`, modelName))
	b = h.batch(h.key, f, "/v1/completions")
	m.finish(m.claim(), "te", "xt")
	if l := h.lines(h.ended(b.ID).OutputFileID)["c"]; l.Response == nil || l.Response.Body.Choices[0].Text != "text" {
		t.Fatalf("%+v", l)
	}
}

func TestBatchThatCannotRunSaysWhy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	line := func(id, method, url, body string) string {
		return fmt.Sprintf(`{"custom_id":%q,"method":%q,"url":%q,"body":%s}`, id, method, url, body) + "\n"
	}
	good := line("a", "POST", "/v1/completions", "{}")
	for name, x := range map[string]struct {
		content, code string
		at            int
	}{
		"no JSON":        {good + "no\n", "invalid_json_line", 2},
		"unknown field":  {good + `{"custom_id":"x","method":"POST","url":"/v1/completions","body":{},"more":1}`, "invalid_json_line", 2},
		"no id":          {line("", "POST", "/v1/completions", "{}"), "invalid_custom_id", 1},
		"twice":          {good + "\n" + good, "duplicate_custom_id", 3},
		"GET":            {line("a", "GET", "/v1/completions", "{}"), "invalid_method", 1},
		"another URL":    {line("a", "POST", "/v1/embeddings", "{}"), "mismatched_url", 1},
		"no object":      {line("a", "POST", "/v1/completions", "3"), "invalid_body", 1},
		"nothing at all": {"\n", "empty_file", 0},
	} {
		b := h.ended(h.batch(h.key, h.put(x.content), "/v1/completions").ID)
		if b.Status != "failed" || b.Errors == nil || len(b.Errors.Data) != 1 || b.Errors.Data[0].Code != x.code || b.Errors.Data[0].Line != x.at {
			t.Errorf("%s: %+v, %+v", name, b, b.Errors)
		}
	}
	f := h.put(good)
	for _, bad := range []map[string]any{
		{},
		{"input_file_id": f.ID, "endpoint": "/v1/messages", "completion_window": "24h"},
		{"input_file_id": f.ID, "endpoint": "/v1/completions", "completion_window": "1h"},
		{"input_file_id": f.ID, "endpoint": "/v1/completions", "completion_window": "24h", "more": 1},
		{"input_file_id": f.ID, "endpoint": "/v1/completions", "completion_window": "24h", "metadata": map[string]string{strings.Repeat("k", 65): "v"}},
	} {
		openAIRefused(h, 400, "POST", "/v1/batches", bad)
	}
	openAIRefused(h, 404, "POST", "/v1/batches", map[string]any{"input_file_id": "file-x", "endpoint": "/v1/completions", "completion_window": "24h"})
	for _, fields := range []map[string]string{{}, {"purpose": "fine-tune"}, {"purpose": "batch", "more": "1"}, {"purpose": "batch", "expires_after[seconds]": "x"}, {"purpose": "batch", "expires_after[anchor]": "x"}, {"purpose": "batch", "expires_after[seconds]": "5"}} {
		if status, raw := h.upload(h.key, good, fields); status != 400 {
			t.Errorf("%v: %d %s", fields, status, raw)
		}
	}
	if status, raw := h.upload(h.key, strings.Repeat("x", 32<<20+1), map[string]string{"purpose": "batch"}); status != 413 {
		t.Errorf("%d %s", status, raw)
	}
	openAIRefused(h, 400, "POST", "/v1/files", "{}")
}

// The coordinator dies in the middle, again and again: each line runs once, and is charged once.
func TestBatchOutlivesRestarts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	const n = 60
	b := h.batch(h.key, h.put(chats(n)), "/v1/chat/completions")
	counts := map[string]int{}
	for range 3 {
		stop := m.serve()
		before := must[api.Account](h, 200, h.key, "GET", "/v1/account", nil).Charged
		h.eventually("progress", func() bool { return h.account().Charged.Cmp(before) > 0 })
		for request, times := range stop() {
			counts[request] += times
		}
		h.restart()
		m.register(api.Offer{Model: modelName, Digest: modelDigest, Class: class, Context: 512, MaxTokens: 64, Rates: rates})
	}
	stop := m.serve()
	b = h.ended(b.ID)
	for request, times := range stop() {
		counts[request] += times
	}
	out := h.lines(b.OutputFileID)
	if b.Status != "completed" || len(out) != n || b.RequestCounts.Completed != n {
		t.Fatalf("%+v, %d lines", b, len(out))
	}
	if len(counts) != n {
		t.Fatalf("%d requests for %d lines", len(counts), n)
	}
	jobs := map[string]bool{}
	for id, l := range out {
		if jobs[l.Response.RequestID] {
			t.Fatalf("%s has another's job", id)
		}
		jobs[l.Response.RequestID] = true
	}
	price, err := market.Price(rates, market.Usage{PromptTokens: 5, CompletionTokens: 2})
	if err != nil {
		t.Fatal(err)
	}
	var want market.Amount
	for range n {
		if want, err = want.Add(price); err != nil {
			t.Fatal(err)
		}
	}
	if a := h.account(); a.Charged != want || !a.Reserved.IsZero() {
		t.Fatalf("charged %s for %d lines of %s, reserved %s", a.Charged, n, price, a.Reserved)
	}
	h.balanced()
}

func TestBatchIsCancelled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	b := h.batch(h.key, h.put(chats(40)), "/v1/chat/completions")
	m.finish(m.claim(), "one")
	h.eventually("a line done", func() bool {
		return must[batchObject](h, 200, h.key, "GET", "/v1/batches/"+b.ID, nil).RequestCounts.Completed == 1
	})
	openAIRefused(h, 409, "DELETE", "/v1/files/"+b.InputFileID, nil)
	if now := must[batchObject](h, 200, h.key, "POST", "/v1/batches/"+b.ID+"/cancel", nil); now.Status != "cancelling" && now.Status != "cancelled" {
		t.Fatalf("%+v", now)
	}
	b = h.ended(b.ID)
	if done, not := h.lines(b.OutputFileID), h.lines(b.ErrorFileID); b.Status != "cancelled" || len(done) != 1 || len(not) != 39 || not["line-39"].Error.Code != "batch_cancelled" {
		t.Fatalf("%+v: %d, %d", b, len(done), len(not))
	}
	if a := h.account(); !a.Reserved.IsZero() {
		t.Fatalf("%+v", a)
	}
	h.balanced()
}

// A batch of many lines waits while another client's request does not.
func TestBatchStarvesNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	other := newAccount(60)
	key := h.openSessionOf(other, 2, market.Coins(1))
	h.batch(h.key, h.put(chats(200)), "/v1/chat/completions")
	m.finish(m.claim(), "x") // the batch is under way
	zero := 0.0
	order := api.SubmitRequest{Model: modelName, Prompt: "now, please", MaxTokens: 4, Temperature: &zero}
	mine := must[api.SubmitResponse](h, 202, h.key, "POST", "/v1/jobs", order).JobID
	theirs := must[api.SubmitResponse](h, 202, key, "POST", "/v1/jobs", order).JobID
	waiting := map[common.Hash]bool{mine: true, theirs: true}
	for n := 0; len(waiting) > 0; n++ {
		if n > 4 {
			t.Fatalf("%d lines of the batch were run before %d requests that somebody waits for", n, len(waiting))
		}
		a := m.claim()
		delete(waiting, a.JobID)
		m.finish(a, "x")
	}
}

func TestBatchHoldsTheBudgetAndTheIdempotencyKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	price, err := market.Price(rates, market.Usage{PromptTokens: 5, CompletionTokens: 2})
	if err != nil {
		t.Fatal(err)
	}
	limit := market.Units(600) // less than all lines cost; each reserves more than its price
	key := h.newKey(h.login(clientKey), api.CreateKeyRequest{Scope: "client", Budget: &api.Budget{Total: limit}})
	f := h.put(chats(100))
	body := map[string]any{"input_file_id": f.ID, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	post := func(idem string, body []byte) (int, batchObject) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.srv.URL+"/v1/batches", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key.APIKey)
		req.Header.Set("Idempotency-Key", idem)
		resp, err := h.srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var b batchObject
		if err := json.NewDecoder(resp.Body).Decode(&b); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b
	}
	_, b := post("once", raw)
	if status, again := post("once", raw); status != 200 || again.ID != b.ID {
		t.Fatalf("%d %+v", status, again)
	}
	if status, _ := post("once", append(raw, ' ')); status != 409 {
		t.Fatalf("another body: %d", status)
	}
	stop := m.serve()
	b = h.ended(b.ID)
	stop()
	list := must[api.KeyList](h, 200, h.key, "GET", "/v1/keys", nil).Keys
	spent := list[0].Spent.Total
	if spent.Cmp(limit) > 0 || spent.Cmp(price) < 0 || b.RequestCounts.Failed == 0 || b.RequestCounts.Completed == 0 || h.account().Charged != spent {
		t.Fatalf("%+v, spent %s of %s", b, spent, limit)
	}
	for _, l := range h.lines(b.ErrorFileID) {
		if l.Response.StatusCode != http.StatusPaymentRequired {
			t.Fatalf("%+v", l.Response)
		}
	}
	h.balanced()
}

// The same Idempotency-Key with another body is refused wherever money is spent.
func TestIdempotencyKeyBindsTheBody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	m.register(offer(func(o *api.Offer) { o.Embeddings = true }))
	f := h.put(chats(1))
	for path, bodies := range map[string][2]string{
		"/v1/jobs":             {`{"model":"tiny","prompt":"a"}`, `{"model":"tiny","prompt":"b"}`},
		"/v1/chat/completions": {`{"model":"tiny","messages":[{"role":"user","content":"a"}]}`, `{"model":"tiny","messages":[{"role":"user","content":"b"}]}`},
		"/v1/completions":      {`{"model":"tiny","prompt":"a"}`, `{"model":"tiny","prompt":"b"}`},
		"/v1/embeddings":       {`{"model":"tiny","input":"a"}`, `{"model":"tiny","input":"b"}`},
		"/v1/messages":         {`{"model":"tiny","max_tokens":4,"messages":[{"role":"user","content":"a"}]}`, `{"model":"tiny","max_tokens":4,"messages":[{"role":"user","content":"b"}]}`},
		"/v1/batches":          {fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/chat/completions","completion_window":"24h"}`, f.ID), fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/completions","completion_window":"24h"}`, f.ID)},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		m.beat()
		send := func(body string) (int, string) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.srv.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Api-Key", h.key)
			req.Header.Set("Idempotency-Key", "key of "+path)
			resp, err := h.srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			var raw bytes.Buffer
			_, _ = raw.ReadFrom(resp.Body)
			return resp.StatusCode, raw.String()
		}
		var wg sync.WaitGroup
		answered := path != "/v1/jobs" && path != "/v1/batches"
		if answered {
			wg.Go(func() {
				if strings.Contains(path, "embeddings") {
					m.say(0, api.Piece{Text: api.EncodeVector([]float32{1, 0})})
				} else {
					m.finish(m.claim(), "x")
				}
			})
		}
		if status, raw := send(bodies[0]); status != 200 && status != 202 {
			t.Errorf("%s: %d %s", path, status, raw)
		}
		wg.Wait()
		if status, raw := send(bodies[1]); status != 409 {
			t.Errorf("%s with another body: %d %s", path, status, raw)
		}
		if !answered { // its job would be taken for the next
			m.finish(m.claim(), "x")
		}
		cancel()
	}
}

// Prompts, answers and files are deleted when their time is over; receipts stay.
func TestContentIsDeletedInTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	id := h.submit("planted prompt")
	m.finish(m.claim(), "planted", "answer")
	h.until(id, "settled", func(j api.Job) bool { return j.Payment == market.Settled })
	f := h.put(chats(1))
	must[api.Result](h, 200, h.key, "GET", "/v1/jobs/"+id.Hex()+"/result", nil)
	h.stop()
	h.keepContent = time.Nanosecond
	h.start()
	if _, err := h.store.DropContent(t.Context(), time.Now().Add(time.Second).UnixMilli(), 100); err != nil {
		t.Fatal(err)
	}
	h.refused(404, "not_found", h.key, "GET", "/v1/jobs/"+id.Hex()+"/result", nil)
	if j := h.job(id); j.Payment != market.Settled || j.ReceiptID == nil {
		t.Fatalf("%+v", j)
	}
	if got := must[struct{ Receipts []receipt.Bundle }](h, 200, h.key, "GET", "/v1/receipts?job_id="+id.Hex(), nil).Receipts; len(got) != 1 {
		t.Fatal("the receipt is gone")
	}
	if err := h.store.Sweep(t.Context(), time.Now().Add(31*24*time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	openAIRefused(h, 404, "GET", "/v1/files/"+f.ID+"/content", nil)
	h.balanced()
}

// What an output file has no room for can be read, as it was paid for.
func TestOutputOfABatchIsBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.stop()
	h.maxOutput = 1000
	h.start()
	m := h.miner(1)
	stop := m.serve()
	b := h.ended(h.batch(h.key, h.put(chats(12)), "/v1/chat/completions").ID)
	stop()
	whole, rest := h.lines(b.OutputFileID), h.lines(b.ErrorFileID)
	if b.Status != "completed" || b.RequestCounts.Completed != 12 || len(whole) == 0 || len(rest) == 0 || len(whole)+len(rest) != 12 {
		t.Fatalf("%+v: %d, %d", b, len(whole), len(rest))
	}
	for _, l := range rest {
		_, path, _ := strings.Cut(l.Error.Message, "GET ")
		path, _, _ = strings.Cut(path, " ")
		if l.Error.Code != "output_too_large" || must[api.Result](h, 200, h.key, "GET", path, nil).Output != "answer" {
			t.Fatalf("%+v", l.Error)
		}
	}
}

// A request that is repeated while no miner is there is still the same request.
func TestIdempotencyKeyCountsWhileTheMinersAreAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.miner(1)
	send := func(prompt string) (int, api.SubmitResponse) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.srv.URL+"/v1/jobs", strings.NewReader(fmt.Sprintf(`{"model":%q,"prompt":%q}`, modelName, prompt)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", h.key)
		req.Header.Set("Idempotency-Key", "once")
		resp, err := h.srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var out api.SubmitResponse
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, out
	}
	_, first := send("a")
	h.eventually("no miner", func() bool { return len(must[api.ModelList](h, 200, "", "GET", "/v1/models", nil).Data) == 0 })
	if status, again := send("a"); status != http.StatusAccepted || again.JobID != first.JobID || first.JobID == (common.Hash{}) {
		t.Errorf("%d %+v, first %+v", status, again, first)
	}
	if status, _ := send("b"); status != http.StatusConflict {
		t.Errorf("another body: %d", status)
	}
	h.balanced()
}
