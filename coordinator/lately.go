package coordinator

import (
	"time"

	"github.com/aitbc/aitbc/apierr"
)

// returnWithin is how long a miner that has gone silent, or that a coordinator knows from before its start, is expected
// to come back: both happen in every restart.
const returnWithin = 30 * time.Second

// awayLocked returns the error for a model that nobody offers now and that somebody did a moment ago, or nil: a client
// should ask again, and not believe that the model does not exist.
func (s *Service) awayLocked(model string, now time.Time) error {
	for _, p := range s.miners {
		seen := p.seen
		if seen.Before(s.began) {
			seen = s.began
		}
		if p.online || now.Sub(seen) > returnWithin {
			continue
		}
		for _, o := range p.offers {
			if o.Model == model {
				return apierr.New(apierr.Unavailable, "the miners that offer model %q are away for the moment: send the request again", model).
					With(map[string]any{"models": s.modelsLocked()})
			}
		}
	}
	return nil
}
