package ledger

import (
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// View is what a replica learns of the others when it says that it lives.
type View struct {
	Me     uint64
	Peers  []Peer
	Leader bool
	// For is how long, from before it was asked for, Leader may be relied on.
	For time.Duration
}

// Peer is another replica that lives, and what it last said of itself.
type Peer struct {
	ID    uint64
	State []byte
}

// Brief is what a replica must know of an open job, or of one that has ended.
type Brief struct {
	ID      common.Hash
	Session uint64
	Client  common.Address
	State   market.JobState
	Payment market.PaymentState
	Owner   uint64
	Miner   common.Address
	Lease   string
	Cancel  bool
	Expires int64
}

// Kinds of notes.
const (
	NoteJobs   = "jobs"   // jobs changed
	NoteMiner  = "miner"  // a miner logged in
	NoteKeys   = "keys"   // keys were revoked
	NoteFollow = "follow" // somebody reads the job's answer from a piece on
	NotePieces = "pieces" // pieces of the job's answer
	NoteLost   = "lost"   // notes may have been missed
)

// MaxNote bounds the pieces that one note carries, in bytes.
const MaxNote = 4500

// Note is what replicas tell each other. A note may be lost; none may be
// believed more than the database.
type Note struct {
	From   uint64         `json:"from"` // replica
	Kind   string         `json:"kind"`
	Jobs   []common.Hash  `json:"jobs,omitempty"` // or the keys' hashes
	Miner  common.Address `json:"miner,omitzero"`
	At     int            `json:"at,omitempty"`     // piece
	Pieces []byte         `json:"pieces,omitempty"` // JSON
}
