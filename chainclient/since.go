package chainclient

import (
	"context"
	"fmt"
	"time"
)

// Since returns the height of the first block that is not older than t, or the newest one's and one if all are older. It asks
// for as many headers as the chain's height has bits.
func (c *Client) Since(ctx context.Context, t time.Time) (uint64, error) {
	head, err := c.BlockNumber(ctx)
	if err != nil {
		return 0, err
	}
	low, high := uint64(0), head+1
	for low < high {
		mid := low + (high-low)/2
		h, err := c.Header(ctx, At(mid))
		if err != nil {
			return 0, fmt.Errorf("block %d: %w", mid, err)
		}
		if time.Unix(int64(h.Time), 0).Before(t) { //nolint:gosec // a block's time
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}
