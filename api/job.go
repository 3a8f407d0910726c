package api

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"` // system, user or assistant
	Content string `json:"content"`
}

// Constraints narrow the miners that may run a job. What is left out narrows
// nothing. GPU, memory and region are what a miner says of itself.
type Constraints struct {
	Miners        []common.Address `json:"miners,omitempty"`         // only these
	Class         string           `json:"class,omitempty"`          // class descriptor: engine, quantisation, determinism
	Models        []common.Hash    `json:"models,omitempty"`         // digests of weights: only these
	GPU           string           `json:"gpu,omitempty"`            // a word of the GPU's name, such as "h100"
	MinVRAMGB     uint64           `json:"min_vram_gb,omitempty"`    // least memory of the GPU, in GiB
	Region        string           `json:"region,omitempty"`         // such as "eu-central"
	MinReputation uint32           `json:"min_reputation,omitempty"` // thousandths, from settled receipts
	Verification  uint8            `json:"verification,omitempty"`   // least level
}

// SubmitRequest is the body of POST /v1/jobs. Exactly one of Prompt, Messages,
// Input and Container is given; Input asks for an embedding of each text. Numbers left out take the model's or the market's default.
type SubmitRequest struct {
	Model       string         `json:"model,omitempty"`
	Prompt      string         `json:"prompt,omitempty"`
	Messages    []Message      `json:"messages,omitempty"`
	Input       []string       `json:"input,omitempty"`
	Container   *Container     `json:"container,omitempty"`
	MaxTokens   uint64         `json:"max_tokens,omitempty"`
	MaxSeconds  uint64         `json:"max_seconds,omitempty"` // longest that a miner computes, and is paid for, at a price by the second; 60 if not given
	Temperature *float64       `json:"temperature,omitempty"` // 0 to 2, kept in thousandths
	TopP        *float64       `json:"top_p,omitempty"`       // 0 to 1, kept in thousandths
	TopK        uint32         `json:"top_k,omitempty"`
	Seed        *uint64        `json:"seed,omitempty"`
	Stop        []string       `json:"stop,omitempty"`    // at most 4
	Grammar     string         `json:"grammar,omitempty"` // that the answer keeps to, in llama.cpp's notation
	Logprobs    bool           `json:"logprobs,omitempty"`
	TopLogprobs uint32         `json:"top_logprobs,omitempty"` // at most 20; needs Logprobs
	MaxPrice    *market.Amount `json:"max_price,omitempty"`    // most that the job may cost
	TTLSeconds  uint64         `json:"ttl_seconds,omitempty"`
	Constraints Constraints    `json:"constraints,omitzero"`
	Route       string         `json:"route,omitempty"` // among idle miners: price (default), latency or throughput
	// Signed is the order of a client that signs itself. Besides it only
	// Constraints and Route are given: the rest is in its request.
	Signed *SignedOrder `json:"signed,omitempty"`
}

// SubmitResponse is the answer to POST /v1/jobs.
type SubmitResponse struct {
	JobID common.Hash     `json:"job_id"`
	State market.JobState `json:"state"`
}

// Failure says why a job failed. It never holds content.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Job is the answer to GET /v1/jobs/{id}.
type Job struct {
	JobID      common.Hash         `json:"job_id"`
	State      market.JobState     `json:"state"`
	Payment    market.PaymentState `json:"payment"`
	Model      string              `json:"model"`
	Miner      *common.Address     `json:"miner,omitempty"`
	Usage      market.Usage        `json:"usage"`
	MaxPrice   market.Amount       `json:"max_price"`
	Price      market.Amount       `json:"price"`
	Fee        market.Amount       `json:"fee"`
	ReceiptID  *common.Hash        `json:"receipt_id,omitempty"`
	Block      uint64              `json:"block,omitempty"` // of the settlement
	Tx         *common.Hash        `json:"tx,omitempty"`    // the settlement
	Attempts   int                 `json:"attempts"`
	Error      *Failure            `json:"error,omitempty"`
	CreatedAt  int64               `json:"created_at"` // milliseconds since 1970
	FinishedAt int64               `json:"finished_at,omitempty"`
	ExpiresAt  int64               `json:"expires_at"`
	Container  bool                `json:"container,omitempty"` // output has the lines of receipt/artifact
	Sealed     bool                `json:"sealed,omitempty"`    // output and the text of tokens are lines that only the client can open
	Timeline   *Timeline           `json:"timeline,omitempty"`  // of a job with a receipt
}

// Timeline says where the time of a job went, by the coordinator's clock until
// the miner began and by the receipt from then on.
type Timeline struct {
	QueuedMS        uint64  `json:"queued_ms"`
	RanMS           uint64  `json:"ran_ms"`
	TokensPerSecond float64 `json:"tokens_per_second"` // of the answer
	// FirstTokenMS is the part of RanMS before the first token came, 0 if that was not seen.
	FirstTokenMS uint64 `json:"first_token_ms,omitempty"`
	// SettledMS is from the job's end until its payment was seen in a block, 0 before.
	SettledMS uint64 `json:"settled_ms,omitempty"`
}

// Result is the answer to GET /v1/jobs/{id}/result.
type Result struct {
	Job
	Output       string `json:"output"`
	FinishReason string `json:"finish_reason"` // stop, length or canceled
	Salt         []byte `json:"salt"`          // base64; opens the receipt's commitments: keep it private
}

// Event is one entry of GET /v1/jobs/{id}/events.
type Event struct {
	Type   string          `json:"type"` // state, token or done
	Index  uint64          `json:"index,omitempty"`
	Token  *uint32         `json:"token,omitempty"` // id, of engines that have ids: what the receipt commits to
	Text   string          `json:"text,omitempty"`
	Likely *Logprob        `json:"logprob,omitempty"`
	State  market.JobState `json:"state,omitempty"`
	At     int64           `json:"at,omitempty"` // milliseconds since 1970

	// More says that another token is there already: who writes may wait with what
	// it costs to bring them out.
	More bool `json:"-"`
}

// Explanation is the answer to GET /v1/jobs/{id}/explain.
type Explanation struct {
	JobID  common.Hash     `json:"job_id"`
	State  market.JobState `json:"state"`
	Miners []MinerReason   `json:"miners"`
}

// MinerReason says why a miner does not run a job.
type MinerReason struct {
	Miner  common.Address `json:"miner"`
	Reason string         `json:"reason"` // from a closed list, e.g. busy, model, price, offline
}

// Request is what the miner is sent, byte for byte as committed in the order.
type Request struct {
	Version          int             `json:"v"`
	Model            string          `json:"model"`
	Prompt           string          `json:"prompt,omitempty"`
	Messages         []Message       `json:"messages,omitempty"`
	Input            []string        `json:"input,omitempty"` // embeddings: one piece each, its float32s as base64
	Container        *Container      `json:"container,omitempty"`
	MaxTokens        uint64          `json:"max_tokens"`
	MaxSeconds       uint64          `json:"max_seconds,omitempty"` // of computing, 0 for no bound but the deadline
	TemperatureMilli uint32          `json:"temperature_milli"`
	TopPMilli        uint32          `json:"top_p_milli"`
	TopK             uint32          `json:"top_k"`
	Seed             uint64          `json:"seed,string"`
	Stop             []string        `json:"stop,omitempty"`
	Tools            json.RawMessage `json:"tools,omitempty"`
	ResponseFormat   json.RawMessage `json:"response_format,omitempty"`
	Grammar          string          `json:"grammar,omitempty"` // not beside the two before
	Logprobs         bool            `json:"logprobs,omitempty"`
	TopLogprobs      uint32          `json:"top_logprobs,omitempty"`
}
