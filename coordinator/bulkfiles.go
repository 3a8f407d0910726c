package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

// bulkLine is one line of a batch's file, in OpenAI's shape.
type bulkLine struct {
	CustomID string          `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
}

// parseBulk reads the lines of a file, or returns what is wrong with it.
func parseBulk(content []byte, endpoint string) (lines []bulkLine, bad []ledger.BulkError) {
	const most = 100 // errors
	seen := map[string]bool{}
	n := 0
	for text := range bytes.Lines(content) {
		n++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		no := func(code, param, message string) {
			if len(bad) < most {
				bad = append(bad, ledger.BulkError{Code: code, Message: message, Line: n, Param: param})
			}
		}
		var l bulkLine
		if err := api.Decode(text, &l); err != nil {
			no("invalid_json_line", "", "the line is no request: custom_id, method, url and body")
			continue
		}
		switch {
		case l.CustomID == "" || len(l.CustomID) > 256:
			no("invalid_custom_id", "custom_id", "custom_id is missing or longer than 256 bytes")
		case seen[l.CustomID]:
			no("duplicate_custom_id", "custom_id", "another line has the same custom_id")
		case l.Method != http.MethodPost:
			no("invalid_method", "method", "method must be POST")
		case l.URL != endpoint:
			no("mismatched_url", "url", "url must be the batch's endpoint")
		case len(l.Body) == 0 || l.Body[0] != '{':
			no("invalid_body", "body", "body must be an object")
		}
		seen[l.CustomID] = true
		if lines = append(lines, l); len(lines) > maxLines {
			return nil, append(bad, ledger.BulkError{Code: "too_many_requests", Message: fmt.Sprintf("the file has more than %d requests", maxLines), Line: n})
		}
	}
	if len(lines) == 0 && len(bad) == 0 {
		bad = append(bad, ledger.BulkError{Code: "empty_file", Message: "the file has no requests"})
	}
	return lines, bad
}

// finish writes the output files and ends the batch, all or nothing.
func (r *bulkRun) finish(ctx context.Context, lines []bulkLine) error {
	r.b.Finishing = time.Now().UnixMilli()
	r.b.Completed, r.b.Failed = r.done, r.failed
	if r.b.Cancel == 0 && !r.expired {
		r.b.State = ledger.BulkFinalizing
		if err := r.s.cfg.Store.SaveBulk(ctx, r.b, nil, nil); err != nil {
			return err
		}
	}
	var out, bad bytes.Buffer
	for n, l := range lines {
		x := r.results[n]
		switch {
		case x.job != nil && out.Len() > r.s.cfg.MaxOutput:
			writeLine(&bad, n, r.b.ID, l.CustomID, nil, &lineError{"output_too_large", "the output file is full: GET /v1/jobs/" + x.job.ID.Hex() + "/result has the answer"})
		case x.job != nil:
			body, err := r.answer(ctx, l, x.job)
			if err != nil {
				return err
			}
			writeLine(&out, n, r.b.ID, l.CustomID, &lineResponse{Status: 200, Request: x.job.ID.Hex(), Body: body}, nil)
		case x.err != nil:
			body := map[string]any{"error": map[string]any{"message": x.err.Message, "code": string(x.err.Code), "type": "invalid_request_error", "param": nil}}
			writeLine(&bad, n, r.b.ID, l.CustomID, &lineResponse{Status: x.err.Code.Status(), Body: body}, nil)
		case r.expired:
			writeLine(&bad, n, r.b.ID, l.CustomID, nil, &lineError{"batch_expired", "the completion window was over before this request was done: nothing was charged"})
		case r.b.Cancel != 0:
			writeLine(&bad, n, r.b.ID, l.CustomID, nil, &lineError{"batch_cancelled", "the batch was cancelled before this request was done"})
		}
	}
	now := time.Now()
	files, content := map[string]ledger.File{}, map[string][]byte{}
	add := func(b *bytes.Buffer, name string) string {
		if b.Len() == 0 {
			return ""
		}
		f := ledger.File{
			ID: newID("file-"), Account: r.b.Account, Name: r.b.ID + "_" + name + ".jsonl", Purpose: purposeMade, Bytes: int64(b.Len()), Created: now.UnixMilli(),
			Expires: now.Add(r.s.cfg.KeepContent).UnixMilli(),
		}
		files[f.ID], content[f.ID] = f, b.Bytes()
		return f.ID
	}
	r.b.Output, r.b.ErrorFile, r.b.Ended = add(&out, "output"), add(&bad, "error"), now.UnixMilli()
	switch {
	case r.b.Cancel != 0:
		r.b.State = ledger.BulkCancelled
	case r.expired:
		r.b.State = ledger.BulkExpired
	default:
		r.b.State = ledger.BulkCompleted
	}
	return r.s.cfg.Store.SaveBulk(ctx, r.b, files, content)
}

// answer reads a job's answer again.
func (r *bulkRun) answer(ctx context.Context, l bulkLine, j *ledger.Job) (any, error) {
	x, err := r.s.cfg.Translate(r.b.Endpoint, l.Body)
	if err != nil {
		return nil, err
	}
	whole, err := r.s.cfg.Store.Job(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	return x.Answer(whole)
}

type lineResponse struct {
	Status  int    `json:"status_code"`
	Request string `json:"request_id"`
	Body    any    `json:"body"`
}

type lineError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// writeLine writes a line of an output file in OpenAI's shape.
func writeLine(to *bytes.Buffer, n int, batch, customID string, r *lineResponse, e *lineError) {
	raw, err := json.Marshal(struct {
		ID       string        `json:"id"`
		CustomID string        `json:"custom_id"`
		Response *lineResponse `json:"response"`
		Error    *lineError    `json:"error"`
	}{fmt.Sprintf("batch_req_%s_%d", strings.TrimPrefix(batch, "batch_"), n), customID, r, e})
	if err != nil {
		panic("coordinator: encode a batch's line: " + err.Error()) // made of what was decoded
	}
	to.Write(append(raw, '\n'))
}
