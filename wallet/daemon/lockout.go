package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/internal/atomicfile"
)

// freeAttempts may fail before there is a delay, which then doubles up to mostDelay.
const (
	freeAttempts = 3
	firstDelay   = time.Second
	mostDelay    = time.Hour
)

// attempts counts what was tried in vain with a wallet. It is on the disk before
// an attempt is looked at, so that no restart and no kill makes it forgotten.
type attempts struct {
	Failed int   `json:"failed"`
	Until  int64 `json:"until"` // milliseconds since 1970
}

func (s *Service) readAttempts(id string) (a attempts, err error) {
	raw, err := os.ReadFile(s.path(id, ".attempts"))
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = api.Decode(raw, &a)
	}
	if err != nil || a.Failed < 0 {
		// Whoever damaged it wanted to be let in.
		return attempts{Failed: freeAttempts + 12}, errors.Join(fmt.Errorf("attempts of %s", id), err)
	}
	return a, nil
}

// attempt runs f, which tests a passphrase or a code, unless too many failed
// before. f's error of code forbidden or second_factor_required with a wrong
// code counts. Only a success that was whole, with the second factor where there
// is one, ends the count: else whoever knows the passphrase could guess codes
// without an end. It needs the wallet's turn.
func (s *Service) attempt(w *wallet, f func() (whole bool, err error)) error {
	now := s.now()
	a, err := s.readAttempts(w.id)
	before := a
	if err != nil {
		s.log.Warn("the count of failed attempts was damaged: it goes on from a high number", "wallet", w.id, "err", err)
	}
	until := min(a.Until, now.Add(mostDelay).UnixMilli()) // whatever clock wrote it
	if wait := until - now.UnixMilli(); wait > 0 {
		seconds := int((wait + 999) / 1000)
		return apierr.New(apierr.RateLimited, "too many attempts failed: wait %d seconds", seconds).With(map[string]any{"retry_after_seconds": seconds, "failed": a.Failed})
	}
	a.Failed++
	if over := a.Failed - freeAttempts; over > 0 {
		a.Until = now.Add(min(mostDelay, firstDelay<<min(over-1, 20))).UnixMilli()
	}
	if err := s.writeAttempts(w.id, a); err != nil {
		return err
	}
	whole, err := f()
	if isFailedAttempt(err) {
		return errors.Join(err, w.note(now, record{Action: "attempt", Result: refused, Detail: map[string]int{"failed": a.Failed}}))
	}
	if err == nil && whole {
		a = attempts{}
	} else { // it proved nothing, or something else went wrong
		a = attempts{Failed: before.Failed}
	}
	return errors.Join(err, s.writeAttempts(w.id, a))
}

// errWrongCode marks a second factor that does not hold.
var errWrongCode = errors.New("wrong code")

func isFailedAttempt(err error) bool {
	return errors.Is(err, errWrongCode) || apierr.HasCode(err, apierr.Forbidden)
}

func (s *Service) writeAttempts(id string, a attempts) error {
	raw, err := json.Marshal(a)
	if err == nil {
		err = atomicfile.Write(s.path(id, ".attempts"), raw, 0o600)
	}
	if err != nil {
		return apierr.Wrap(err, apierr.Unavailable, "the count of attempts could not be written: is the disk full?")
	}
	return nil
}
