package apierr_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aitbc/aitbc/apierr"
)

func TestPublicHidesCause(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("submit: %w", apierr.Wrap(errors.New("dial tcp 10.0.0.7"), apierr.Unavailable, "chain is not reachable"))
	e := apierr.Public(err)
	if e.Code != apierr.Unavailable || e.Error() != "chain is not reachable" || e.Code.Status() != 503 {
		t.Fatalf("Public = %+v", e)
	}
	if e := apierr.Public(errors.New("disk full")); e.Code != apierr.Internal || e.Error() != "internal error" || e.Code.Status() != 500 {
		t.Fatalf("unmarked error leaked: %+v", e)
	}
}

func TestHasCodeLooksThroughWrapping(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("x: %w", apierr.New(apierr.TooEarly, "not yet").With(map[string]any{"state": "queued"}))
	if !apierr.HasCode(err, apierr.TooEarly) || apierr.HasCode(err, apierr.Conflict) {
		t.Fatal("wrong code")
	}
}
