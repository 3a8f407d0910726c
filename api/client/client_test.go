package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/secret"
)

var job = common.HexToHash("0x01")

func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, secret.New("k1"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSubmitSendsKeysAndBody(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var got api.SubmitRequest
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/v1/jobs" || r.Header.Get("X-Api-Key") != "k1" || r.Header.Get("Idempotency-Key") != "i1" || got.Model != "m" {
			t.Errorf("%s %s %v %+v", r.Method, r.URL, r.Header, got)
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"job_id":%q,"state":"queued"}`, job.Hex())
	})
	got, err := c.Submit(t.Context(), api.SubmitRequest{Model: "m", Prompt: "p"}, "i1")
	if err != nil || got.JobID != job || got.State != "queued" {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestRefusalKeepsCodeAndDetails(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"code":"model_not_found","message":"no miner offers x","details":{"models":["a"]}}}`)
	})
	_, err := c.Submit(t.Context(), api.SubmitRequest{}, "")
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok || e.Code != apierr.ModelNotFound || len(e.Details) != 1 {
		t.Fatalf("err = %v", err)
	}
}

func TestReceiptBytesAreKept(t *testing.T) {
	t.Parallel()
	const bundle = `{"b": 1,  "a":"<>"}`
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/receipts/") {
			fmt.Fprint(w, bundle)
			return
		}
		if r.URL.Query().Get("job_id") != job.Hex() {
			t.Errorf("asked %s", r.URL)
		}
		fmt.Fprintf(w, `{"receipts":[%s]}`, bundle)
	})
	one, err := c.Receipt(t.Context(), job)
	if err != nil || string(one) != bundle {
		t.Fatalf("%s, %v", one, err)
	}
	list, err := c.Receipts(t.Context(), job)
	if err != nil || len(list) != 1 || string(list[0]) != bundle {
		t.Fatalf("%s, %v", list, err)
	}
}

// A stream that is cut twice, once in the middle of an event, is taken up where it was.
func TestFollowResumes(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n, last := calls.Add(1), r.Header.Get("Last-Event-ID"); n {
		case 1:
			fmt.Fprint(w, ": hello\n\nid: 1\nevent: state\ndata: {\"type\":\"state\",\"state\":\"queued\"}\n\nid: 2\ndata: {\"type\":\"tok")
		case 2:
			if last != "1" {
				t.Errorf("resumed from %q", last)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			if last != "1" {
				t.Errorf("resumed from %q", last)
			}
			fmt.Fprint(w, "id: 2\ndata: {\"type\":\"token\",\"text\":\"Hi: there\"}\n\nid: 3\nevent: done\ndata:{\"job_id\":\"0x01\",\"state\":\"completed\"}\n\n")
		default:
			t.Error("asked after the end")
		}
	})
	var got []string
	err := c.Follow(t.Context(), job, func(e api.Event) error {
		got = append(got, e.Type+e.Text)
		return nil
	})
	if err != nil || strings.Join(got, ",") != "state,tokenHi: there,done" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestFollowStopsWhenToldOrRefused(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) > 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, "data: {\"type\":\"token\"}\n\n")
	})
	enough := errors.New("enough")
	if err := c.Follow(t.Context(), job, func(api.Event) error { return enough }); !errors.Is(err, enough) {
		t.Fatalf("err = %v", err)
	}
	if err := c.Follow(t.Context(), job, func(api.Event) error { return nil }); !apierr.HasCode(err, apierr.NotFound) {
		t.Fatalf("err = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Follow(ctx, job, func(api.Event) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
}
