package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/httpx"
)

// uploadTime bounds how long a file may take to be sent.
const uploadTime = 2 * time.Minute

// PutFile stores a file with the requests of a batch, one JSON value a line.
func (c *Client) PutFile(ctx context.Context, name string, content []byte) (api.File, error) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("purpose", "batch"); err != nil {
		return api.File{}, err
	}
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		return api.File{}, err
	}
	if _, err := part.Write(content); err != nil {
		return api.File{}, err
	}
	if err := w.Close(); err != nil {
		return api.File{}, err
	}
	var out api.File
	_, err = c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/files", Body: &form, Type: w.FormDataContentType(), Timeout: uploadTime}, &out)
	return out, err
}

// FileContent writes what is in a file.
func (c *Client) FileContent(ctx context.Context, id string, to io.Writer) error {
	resp, err := c.http.Open(ctx, httpx.Request{Method: http.MethodGet, Path: "/v1/files/" + url.PathEscape(id) + "/content"})
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end, or given up
	if _, err := io.Copy(to, resp.Body); err != nil {
		return fmt.Errorf("read file %s: %w", id, err)
	}
	return nil
}

// CreateBatch has the requests of a file run within a day. Repeating it with the same idempotency key gives the same
// batch; the key may be empty.
func (c *Client) CreateBatch(ctx context.Context, r api.BatchRequest, idempotencyKey string) (api.Batch, error) {
	req := httpx.Request{Method: http.MethodPost, Path: "/v1/batches", JSON: r}
	if idempotencyKey != "" {
		req.Header = http.Header{"Idempotency-Key": {idempotencyKey}}
	}
	var out api.Batch
	_, err := c.http.Do(ctx, req, &out)
	return out, err
}

// Batch returns a batch as it stands.
func (c *Client) Batch(ctx context.Context, id string) (api.Batch, error) {
	return get[api.Batch](ctx, c, "/v1/batches/"+url.PathEscape(id))
}

// Batches returns the account's newest batches.
func (c *Client) Batches(ctx context.Context) ([]api.Batch, error) {
	list, err := get[struct{ Data []api.Batch }](ctx, c, "/v1/batches?limit=100")
	return list.Data, err
}

// CancelBatch has no more of a batch ordered, and stops what is under way.
func (c *Client) CancelBatch(ctx context.Context, id string) (api.Batch, error) {
	var out api.Batch
	_, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/v1/batches/" + url.PathEscape(id) + "/cancel"}, &out)
	return out, err
}

// WaitBatch asks again and again until a batch has ended, and tells of each change of its counts.
func (c *Client) WaitBatch(ctx context.Context, id string, tell func(api.Batch)) (api.Batch, error) {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for last := (api.BatchCounts{}); ; {
		b, err := c.Batch(ctx, id)
		if err != nil || strings.Contains(" completed failed expired cancelled ", " "+b.Status+" ") {
			return b, err
		}
		if b.Counts != last {
			last = b.Counts
			tell(b)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return b, ctx.Err()
		}
	}
}
