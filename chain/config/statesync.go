package config

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

var hashPattern = regexp.MustCompile(`^(0x)?[0-9a-fA-F]{64}$`)

// check reports what cannot work. Nothing is asked of what is not enabled.
func (s StateSync) check() error {
	switch {
	case !s.Enabled:
		return nil
	case len(s.RPCServers) < 2:
		return errors.New("state_sync.rpc_servers needs two servers or more: one tells if another lies")
	case s.TrustHeight <= 0:
		return errors.New("state_sync.trust_height is missing")
	case !hashPattern.MatchString(s.TrustHash):
		return fmt.Errorf("state_sync.trust_hash %q is not 64 hex digits", s.TrustHash)
	case time.Duration(s.TrustPeriod) <= 0:
		return errors.New("state_sync.trust_period must be above 0")
	default:
		return nil
	}
}

// Trustworthy reports whether the settings say whom to trust, enabled or not.
func (s StateSync) Trustworthy() error {
	s.Enabled = true
	return s.check()
}
