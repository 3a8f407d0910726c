package ledger

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"
)

// Errors about files.
var (
	ErrQuota = errors.New("the account's files are too large together")
	ErrInUse = errors.New("in use by a batch")
)

// File is a text that a client keeps here for a while.
type File struct {
	ID      string
	Account common.Address
	Name    string
	Purpose string
	Bytes   int64
	Created int64 // milliseconds since 1970
	Expires int64 // it is deleted then
}

// States of a bulk, as OpenAI's batches have them.
const (
	BulkValidating = "validating"
	BulkFailed     = "failed"
	BulkInProgress = "in_progress"
	BulkFinalizing = "finalizing"
	BulkCompleted  = "completed"
	BulkExpired    = "expired"
	BulkCancelling = "cancelling"
	BulkCancelled  = "cancelled"
)

// Bulk is many requests of a file that are done when there is room: what OpenAI calls a batch. Its state is what became of
// it so far; that it shall be cancelled stands beside.
type Bulk struct {
	ID       string            `json:"id"`
	Account  common.Address    `json:"account"`
	Session  uint64            `json:"session"`
	Key      common.Hash       `json:"key"`    // that made it
	Budget   bool              `json:"budget"` // that key has one
	Endpoint string            `json:"endpoint"`
	Input    string            `json:"input"` // file
	Window   string            `json:"window"`
	Metadata map[string]string `json:"metadata,omitempty"`

	State     string `json:"state"`
	Created   int64  `json:"created"` // milliseconds since 1970
	Begun     int64  `json:"begun,omitempty"`
	Finishing int64  `json:"finishing,omitempty"`
	Ended     int64  `json:"ended,omitempty"`
	Expires   int64  `json:"expires"`
	Cancel    int64  `json:"-"`    // when that was asked for
	Keep      int64  `json:"keep"` // it is forgotten then

	Total     int         `json:"total"`
	Completed int         `json:"completed"`
	Failed    int         `json:"failed"`
	Errors    []BulkError `json:"errors,omitempty"` // of the file, if nothing of it was run
	Output    string      `json:"output,omitempty"` // file
	ErrorFile string      `json:"error_file,omitempty"`

	IdemKey  string `json:"-"`
	IdemHash []byte `json:"-"`
}

// BulkError is what is wrong with a line of a file.
type BulkError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Line    int    `json:"line,omitempty"` // from 1
	Param   string `json:"param,omitempty"`
}

// Open reports whether something is still to be done.
func (b *Bulk) Open() bool { return b.Ended == 0 }
