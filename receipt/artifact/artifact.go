// Package artifact has the lines in which a job in a container answers, and
// reads them back: what the program printed, and its files, each checked against
// the hash that the last line has of it.
//
// A line is one piece of the answer and so one leaf of the output that the
// receipt commits to: a file that [Read] returns is what the miner signed for.
package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/receipt"
)

// Bounds of a line. A part of a file fits a piece, sealed or not.
const (
	PartBytes = 30 << 10 // of a file, in one line
	TextBytes = 4 << 10  // of what a program prints, in one line
	MaxFiles  = 128      // so that the last line fits a piece, too
	maxPath   = 200
)

// ErrDamaged is returned for an answer that is not complete, or whose files are
// not those that its last line names.
var ErrDamaged = errors.New("the answer of the container is damaged")

// Line is one piece of the answer. One field is set.
type Line struct {
	Start *Start `json:"start,omitempty"` // the first: the program runs
	Out   string `json:"out,omitempty"`   // standard output; bytes that are not UTF-8 came as U+FFFD
	Err   string `json:"err,omitempty"`   // standard error
	File  *Part  `json:"file,omitempty"`  // after the program's end, the parts of a file one after another
	End   *End   `json:"end,omitempty"`   // the last
}

// Start says which image runs.
type Start struct {
	Image string `json:"image"` // as in "sha256:…"
}

// Part is a part of a file.
type Part struct {
	Path string `json:"path"`
	Data []byte `json:"data"`
}

// Why a program ended.
const (
	Exited   = "exited"
	Time     = "time"     // it took longer than it may
	Memory   = "memory"   // it wanted more than it may have
	Output   = "output"   // it printed more than it may
	Canceled = "canceled" // by the client
)

// End says how the program ended, and which files it left.
type End struct {
	Reason   string `json:"reason"`
	ExitCode int    `json:"exit_code"`
	Millis   uint64 `json:"millis"` // that it ran: what is charged
	Files    []File `json:"files,omitempty"`
	Skipped  uint64 `json:"skipped,omitempty"` // files left out: no plain files, of names that nobody should write, or too large
}

// File names a file by its content.
type File struct {
	Path   string `json:"path"` // below the output folder, with slashes
	Size   uint64 `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Encode returns a line as a piece's text, with its newline.
func (l Line) Encode() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		panic("artifact: encode line: " + err.Error()) // texts and numbers only
	}
	return b.String()
}

// Sum returns how a file's content is named.
func Sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}

// GoodPath reports whether a path may be written by whoever gets the answer: it
// leads nowhere but down, and a terminal can show it.
func GoodPath(p string) bool {
	return p != "." && len(p) <= maxPath && utf8.ValidString(p) && filepath.IsLocal(p) && path.Clean(p) == p &&
		!strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' || r == '"' })
}

// Result is an answer as a person wants it.
type Result struct {
	Image    string
	Out, Err string
	End      End
	Files    map[string][]byte // by path
}

// Read reads an answer. It returns [ErrDamaged] unless every file is there with
// the hash that the last line has of it, and nothing else is.
func Read(answer string) (Result, error) {
	r := Result{Files: map[string][]byte{}}
	bad := func(format string, a ...any) (Result, error) {
		return r, fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
	}
	var out, errs strings.Builder
	ended := false
	for text := range strings.Lines(answer) {
		l, err := Parse(text)
		switch {
		case err != nil:
			return r, err
		case ended:
			return bad("something comes after its end")
		case l.Start != nil:
			r.Image = l.Start.Image
		case l.File != nil:
			if _, known := r.Files[l.File.Path]; !known && (!GoodPath(l.File.Path) || len(r.Files) == MaxFiles) {
				return bad("a file has a bad name, or there are too many")
			}
			r.Files[l.File.Path] = append(r.Files[l.File.Path], l.File.Data...)
		case l.End != nil:
			r.End, ended = *l.End, true
		}
		out.WriteString(l.Out)
		errs.WriteString(l.Err)
	}
	r.Out, r.Err = out.String(), errs.String()
	if !ended {
		return bad("it breaks off")
	}
	for _, f := range r.End.Files {
		content, ok := r.Files[f.Path]
		if !ok || uint64(len(content)) != f.Size || Sum(content) != f.SHA256 {
			return bad("the file %q is not the one of its hash", f.Path)
		}
	}
	if len(r.End.Files) != len(r.Files) {
		return bad("it has %d files and names %d", len(r.Files), len(r.End.Files))
	}
	return r, nil
}

// Parse reads one line. It returns [ErrDamaged] if that is none.
func Parse(text string) (Line, error) {
	var l Line
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil || !strings.HasSuffix(text, "\n") || l.Encode() != text {
		return l, fmt.Errorf("%w: a line is not as miners write them", ErrDamaged)
	}
	return l, nil
}

// Commitment returns what a receipt commits to if this is the whole answer.
func Commitment(answer string, salt receipt.Salt) common.Hash {
	o := receipt.NewOutput(salt)
	for line := range strings.Lines(answer) {
		o.Text(line)
	}
	return o.Root()
}
