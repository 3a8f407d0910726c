package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// errDown is a node that does not answer.
var errDown = errors.New("no node answers")

const maxAnswer = 16 << 20

// ask calls one of the node's GET URIs and decodes its result.
func ask(ctx context.Context, address, method string, query url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 70*time.Second)
	defer cancel()
	u := url.URL{Scheme: "http", Host: address, Path: method, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	client := http.Client{Timeout: 70 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("%w at %s", errDown, address)
		}
		return fmt.Errorf("ask %s: %w", address, err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Message string `json:"message"`
			Data    string `json:"data"`
		} `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&answer); err != nil {
		return fmt.Errorf("ask %s: %s is no answer of a node: %w", address, res.Status, err)
	}
	if answer.Error != nil {
		if answer.Error.Data != "" {
			return errors.New(answer.Error.Data)
		}
		return errors.New(answer.Error.Message)
	}
	if err := json.Unmarshal(answer.Result, out); err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	return nil
}
