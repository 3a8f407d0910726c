// Package native calls llama.cpp's shared libraries, in the builds that package library
// knows, through purego.
//
// A hostile model can take over a process that loads it: this is for a program of its
// own in a sandbox, and for measurements. Calls check nothing that llama.cpp checks
// itself; a mistake in there ends the process.
package native

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/aitbc/aitbc/engine/llama/library"
)

// A Library is llama.cpp, opened. A process opens one.
type Library struct {
	calls calls

	mu   sync.Mutex // guards the field below
	said string     // the last error that llama.cpp logged
}

// calls are the functions of llama.cpp that are used.
type calls struct {
	modelDefaults   func() modelParams
	contextDefaults func() contextParams
	loadModel       func(string, modelParams) uintptr
	freeModel       func(uintptr)
	trainedContext  func(uintptr) int32
	hasEncoder      func(uintptr) bool
	vocab           func(uintptr) uintptr
	vocabTokens     func(uintptr) int32
	tokenize        func(vocab uintptr, text *byte, size int32, tokens *int32, most int32, begin, special bool) int32
	piece           func(vocab uintptr, token int32, out *byte, size, lstrip int32, special bool) int32
	attributes      func(vocab uintptr, token int32) int32
	isEnd           func(vocab uintptr, token int32) bool
	begin           func(vocab uintptr) int32
	addsBegin       func(vocab uintptr) bool
	newContext      func(uintptr, contextParams) uintptr
	freeContext     func(uintptr)
	contextOfOne    func(uintptr) uint32
	decode          func(uintptr, batch) int32
	logits          func(uintptr, int32) *float32
	setEmbeddings   func(uintptr, bool)
	vectorOf        func(context uintptr, output int32) *float32
	vectorOfAll     func(context uintptr, sequence int32) *float32
	vectorSize      func(uintptr) int32
	memory          func(uintptr) uintptr
	clear           func(uintptr, bool)
	firstKept       func(memory uintptr, sequence int32) int32
	forget          func(memory uintptr, sequence, from, to int32) bool
	devices         func() uint64
	device          func(uint64) uintptr
	deviceType      func(uintptr) int32
	deviceName      func(uintptr) string
}

// Open opens a build that lies in a folder; its Check is the caller's.
func Open(b library.Build, folder string) (*Library, error) {
	base, ggml, llama := b.Paths(folder)
	handles := map[string]uintptr{}
	for _, path := range []string{base, ggml, llama} {
		h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			return nil, fmt.Errorf("open llama.cpp: %w", err)
		}
		handles[path] = h
	}
	l := &Library{}
	c := &l.calls
	for path, names := range map[string]map[string]any{
		base: {"ggml_backend_dev_type": &c.deviceType, "ggml_backend_dev_name": &c.deviceName},
		ggml: {"ggml_backend_dev_count": &c.devices, "ggml_backend_dev_get": &c.device},
		llama: {
			"llama_model_default_params": &c.modelDefaults, "llama_context_default_params": &c.contextDefaults,
			"llama_model_load_from_file": &c.loadModel, "llama_model_free": &c.freeModel, "llama_model_n_ctx_train": &c.trainedContext,
			"llama_model_has_encoder": &c.hasEncoder, "llama_model_get_vocab": &c.vocab, "llama_vocab_n_tokens": &c.vocabTokens,
			"llama_tokenize": &c.tokenize, "llama_token_to_piece": &c.piece, "llama_vocab_get_attr": &c.attributes, "llama_vocab_is_eog": &c.isEnd,
			"llama_vocab_bos": &c.begin, "llama_vocab_get_add_bos": &c.addsBegin,
			"llama_init_from_model": &c.newContext, "llama_free": &c.freeContext, "llama_n_ctx_seq": &c.contextOfOne,
			"llama_decode": &c.decode, "llama_get_logits_ith": &c.logits,
			"llama_set_embeddings": &c.setEmbeddings, "llama_get_embeddings_ith": &c.vectorOf, "llama_get_embeddings_seq": &c.vectorOfAll,
			"llama_model_n_embd_out": &c.vectorSize,
			"llama_get_memory":       &c.memory, "llama_memory_clear": &c.clear, "llama_memory_seq_rm": &c.forget, "llama_memory_seq_pos_min": &c.firstKept,
		},
	} {
		for name, f := range names {
			purego.RegisterLibFunc(f, handles[path], name)
		}
	}
	var log func(callback, data uintptr)
	purego.RegisterLibFunc(&log, handles[llama], "llama_log_set")
	log(purego.NewCallback(l.log), 0)
	var load func(string)
	purego.RegisterLibFunc(&load, handles[ggml], "ggml_backend_load_all_from_path")
	load(folder)
	if c.devices() == 0 {
		return nil, errors.New("open llama.cpp: no build of it suits this processor")
	}
	return l, nil
}

const (
	levelError  = 4   // ggml_log_level
	mostLogged  = 500 // bytes of a line
	deviceGPU   = 1   // ggml_backend_dev_type
	deviceIGPU  = 2
	mostDevices = 64
)

// log remembers errors, which say more than what calls return, and prints them: llama.cpp may end
// the process next.
func (l *Library) log(level int32, text *byte, _ uintptr) uintptr {
	if level != levelError || text == nil {
		return 0
	}
	n := 0
	for n < mostLogged && *(*byte)(unsafe.Add(unsafe.Pointer(text), n)) != 0 { //nolint:gosec // a C string
		n++
	}
	line := strings.TrimSpace(strings.ToValidUTF8(string(unsafe.Slice(text, n)), "?")) //nolint:gosec // n bytes are there
	l.mu.Lock()
	defer l.mu.Unlock()
	if line == "" {
		return 0
	}
	_, _ = fmt.Fprintln(os.Stderr, line) // for whoever reads it
	if l.said == "" {                    // the first is the cause of the others
		l.said = line
	}
	return 0
}

// cause takes what llama.cpp said last.
func (l *Library) cause() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := l.said
	l.said = ""
	return said
}

// failed is an error with what llama.cpp said about it.
func (l *Library) failed(what string) error {
	if said := l.cause(); said != "" {
		return fmt.Errorf("%s: %s", what, said)
	}
	return errors.New(what)
}

// GPUs are the names of the devices beside the processor.
func (l *Library) GPUs() []string {
	var names []string
	for i := range min(l.calls.devices(), mostDevices) {
		d := l.calls.device(i)
		if kind := l.calls.deviceType(d); kind == deviceGPU || kind == deviceIGPU {
			names = append(names, l.calls.deviceName(d))
		}
	}
	return names
}
