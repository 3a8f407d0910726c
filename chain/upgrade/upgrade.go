// Package upgrade knows which planned upgrades this program can take part in.
package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aitbc/aitbc/chain/exec"
)

// names are the plans that this program's rules include, oldest first. A release that changes the rules adds its name.
var names = []string{}

// extra is set by the linker (-X): names, separated by commas, that a build knows besides.
var extra string

// ErrNeeded says that the next block belongs to another program.
var ErrNeeded = errors.New("the chain has been upgraded")

// Known lists the plans that this program knows.
func Known() []string {
	out := slices.Clone(names)
	if extra != "" {
		out = append(out, strings.Split(extra, ",")...)
	}
	return out
}

// Check returns ErrNeeded, with what to do, if the block at the height must not be run by this program. A plan whose
// height is past counts too: a program that does not know it fell behind.
func Check(p exec.Plan, height uint64) error {
	if p.Height == 0 || height < p.Height || slices.Contains(Known(), p.Name) {
		return nil
	}
	known := "none"
	if k := Known(); len(k) > 0 {
		known = strings.Join(k, ", ")
	}
	info := ""
	if p.Info != "" {
		info = fmt.Sprintf(" (%s)", p.Info)
	}
	return fmt.Errorf("%w: from block %d on it needs a program with the upgrade %q%s; this one knows %s: install it and start again, nothing is lost",
		ErrNeeded, p.Height, p.Name, info, known)
}
