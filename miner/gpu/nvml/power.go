//go:build linux

package nvml

import (
	"errors"
	"fmt"
)

// ErrDenied reports what only root may do.
var ErrDenied = errors.New("only root may set a power limit")

// noPermission is the library's answer to a user who may not.
const noPermission = 4

// SetPowerLimit has a device, by its number, draw at most so many milliwatts, through the library at a path or by its name.
// It returns [ErrDenied] if this process has not the right to, and an error that names the bounds for what lies outside them.
func SetPowerLimit(path string, device, milliwatts uint32) error {
	return session(path, func(l *lib) error {
		var h handle
		if code := l.byIndex(device, &h); code != success {
			return fmt.Errorf("device %d: %w", device, l.err(code))
		}
		least, most, err := l.bounds(h)
		if err != nil {
			return fmt.Errorf("device %d: %w", device, err)
		}
		if milliwatts < least || milliwatts > most {
			return fmt.Errorf("device %d takes a power limit of %d to %d mW, not of %d", device, least, most, milliwatts)
		}
		if l.setLimit == nil {
			return errors.New("the library sets no power limits")
		}
		switch code := l.setLimit(h, milliwatts); code {
		case success:
			return nil
		case noPermission:
			return fmt.Errorf("device %d: %w: %w", device, ErrDenied, l.err(code))
		default:
			return fmt.Errorf("device %d: set its power limit: %w", device, l.err(code))
		}
	})
}

// bounds are those of a device's power limit, in milliwatts.
func (l *lib) bounds(h handle) (least, most uint32, err error) {
	if l.limitBounds == nil {
		return 0, 0, errors.New("the library tells no bounds of power limits")
	}
	if code := l.limitBounds(h, &least, &most); code != success {
		return 0, 0, fmt.Errorf("bounds of its power limit: %w", l.err(code))
	}
	return least, most, nil
}
