package httpapi

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatCostsMuchIsAskedOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKept[int]()
		asked := 0
		ask := func(ctx context.Context) (int, error) {
			asked++
			select {
			case <-time.After(time.Second):
				return asked, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if v, err := k.get(t.Context(), 7, ask); v != 1 || err != nil {
					t.Errorf("%d, %v", v, err)
				}
			})
		}
		all.Wait()
		for i, next := range []struct {
			block uint64
			after time.Duration
			want  int
		}{{7, keepOther, 1}, {8, 0, 2}, {8, keepBlock, 3}, {0, 0, 4}, {0, keepOther / 2, 4}, {0, keepOther, 5}} {
			time.Sleep(next.after)
			if v, err := k.get(t.Context(), next.block, ask); v != next.want || err != nil {
				t.Errorf("step %d: %d, %v, want %d", i, v, err, next.want)
			}
		}
	})
}

func TestAFailureIsNotKeptAndNobodyWaitsForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKept[int]()
		failed := errors.New("no answer")
		if _, err := k.get(t.Context(), 7, func(context.Context) (int, error) { return 0, failed }); !errors.Is(err, failed) {
			t.Errorf("%v", err)
		}
		release := make(chan struct{})
		go func() {
			_, _ = k.get(t.Context(), 7, func(context.Context) (int, error) { <-release; return 1, nil }) // seen below
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.get(ctx, 7, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(release)
		if v, err := k.get(t.Context(), 7, nil); v != 1 || err != nil {
			t.Errorf("%d, %v", v, err)
		}
	})
}
