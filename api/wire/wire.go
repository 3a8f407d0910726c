// Package wire frames the miners' link: one connection that a miner opens and
// keeps, over which its requests, the answers and several jobs' tokens go side by
// side. docs/PROTOCOL.md section 7 has the format.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

const (
	// Protocol is what both sides name in the Upgrade header.
	Protocol = "aitbc-link/1"
	// Path is the route that is upgraded.
	Path = "/v1/miners/link"
)

// Kind says what a frame is.
type Kind byte

// What a miner sends. The body is that of the HTTP route of the same name.
const (
	Claim     Kind = 1 // two bytes: seconds to wait; answered by an Assignment, or by nothing
	Heartbeat Kind = 2
	Pieces    Kind = 3 // job and lease, then lines as in the stream; answered if there are none, or if the miner should stop
	Result    Kind = 4 // job and lease, then the ResultRequest
	Failure   Kind = 5 // job and lease, then the FailureRequest
	Drain     Kind = 6
	Withdraw  Kind = 7 // under a claim's number: it need not wait any more, and is answered at once
)

// What a coordinator sends, under the number of the frame that it answers.
const (
	Answer  Kind = 128
	Refusal Kind = 129 // an error's code, message and details
)

// MaxBody bounds a frame's body.
const MaxBody = 4 << 20

// header is length of what follows it (4 bytes), kind (1) and number (4).
const header = 9

// ErrTooLong reports a frame beyond [MaxBody].
var ErrTooLong = errors.New("a frame is too long")

// Append adds a frame to b.
func Append(b []byte, k Kind, number uint32, body ...[]byte) []byte {
	start, size := len(b), header
	for _, part := range body {
		size += len(part)
	}
	b = append(slices.Grow(b, size), 0, 0, 0, 0, byte(k))
	b = binary.BigEndian.AppendUint32(b, number)
	for _, part := range body {
		b = append(b, part...)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // a body is far shorter
	return b
}

// Frame is one frame as it came.
type Frame struct {
	Kind   Kind
	Number uint32
	Body   []byte
}

// Read reads a frame. At the end of the stream, between frames, it returns
// [io.EOF].
func Read(r *bufio.Reader) (Frame, error) {
	var h [header]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Frame{}, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n < header-4 || n > MaxBody+header {
		return Frame{}, fmt.Errorf("%w: %d bytes", ErrTooLong, n)
	}
	f := Frame{Kind: Kind(h[4]), Number: binary.BigEndian.Uint32(h[5:])}
	if n > header-4 {
		f.Body = make([]byte, n-(header-4))
		if _, err := io.ReadFull(r, f.Body); err != nil {
			return Frame{}, fmt.Errorf("a frame was cut: %w", err)
		}
	}
	return f, nil
}

// JobPrefix is what begins a body that is about a job.
func JobPrefix(job common.Hash, lease string) []byte {
	b := append(make([]byte, 0, len(job)+1+len(lease)), job[:]...)
	return append(append(b, byte(min(len(lease), 255))), lease[:min(len(lease), 255)]...)
}

// CutJob splits a body that begins with [JobPrefix].
func CutJob(body []byte) (job common.Hash, lease string, rest []byte, err error) {
	if len(body) < len(job)+1 || len(body) < len(job)+1+int(body[len(job)]) {
		return job, "", nil, errors.New("a frame about a job is too short")
	}
	end := len(job) + 1 + int(body[len(job)])
	return common.Hash(body[:len(job)]), string(body[len(job)+1 : end]), body[end:], nil
}
