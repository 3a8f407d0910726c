package api

// File is OpenAI's object of a file.
type File struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Bytes     int64  `json:"bytes"`
	CreatedAt int64  `json:"created_at"` // seconds since 1970
	ExpiresAt int64  `json:"expires_at"`
	Filename  string `json:"filename"`
	Purpose   string `json:"purpose"`
}

// BatchRequest is the body of POST /v1/batches.
type BatchRequest struct {
	InputFileID      string            `json:"input_file_id"`
	Endpoint         string            `json:"endpoint"`
	CompletionWindow string            `json:"completion_window"` // 24h
	Metadata         map[string]string `json:"metadata,omitempty"`
}

// BatchCounts say how far a batch came.
type BatchCounts struct {
	Total     int `json:"total"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
}

// BatchErrors are what is wrong with a file of which nothing was run.
type BatchErrors struct {
	Data []BatchError `json:"data"`
}

// BatchError is what is wrong with a line, counted from 1.
type BatchError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Line    int    `json:"line"`
}

// Batch is OpenAI's object of a batch.
type Batch struct {
	ID           string       `json:"id"`
	Endpoint     string       `json:"endpoint"`
	Status       string       `json:"status"`
	InputFileID  string       `json:"input_file_id"`
	OutputFileID string       `json:"output_file_id"` // empty for none, as the next
	ErrorFileID  string       `json:"error_file_id"`
	CreatedAt    int64        `json:"created_at"` // seconds since 1970
	ExpiresAt    int64        `json:"expires_at"`
	Counts       BatchCounts  `json:"request_counts"`
	Errors       *BatchErrors `json:"errors,omitempty"`
}
