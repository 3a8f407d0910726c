// Package trace records what happens to one request in all programs that it passes through: it carries W3C trace contexts
// from one to the next, and sends spans to a collector of OpenTelemetry, by OTLP over HTTP.
//
// Without a collector the contexts are passed on all the same and nothing is kept. Spans hold identifiers, times, counts
// and error codes, and never content or secrets.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// Context names a span in a trace, so that another program's spans can be its children. The zero value names none.
type Context struct {
	Trace   [16]byte
	Span    [8]byte
	Sampled bool // somebody keeps it
}

// IsZero reports whether c names no span.
func (c Context) IsZero() bool { return c.Trace == [16]byte{} || c.Span == [8]byte{} }

// String is the value of a traceparent header, empty for the zero context.
func (c Context) String() string {
	if c.IsZero() {
		return ""
	}
	flags := "00"
	if c.Sampled {
		flags = "01"
	}
	return "00-" + hex.EncodeToString(c.Trace[:]) + "-" + hex.EncodeToString(c.Span[:]) + "-" + flags
}

// Parse reads a traceparent. What is none, by W3C's Trace Context, is the zero context.
func Parse(s string) Context {
	const length = 55
	future := len(s) > length && s[length] == '-' // a later version may say more
	if len(s) < length || len(s) > length && !future || strings.ToLower(s) != s || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return Context{}
	}
	version, err := hex.DecodeString(s[:2])
	if err != nil || version[0] == 0xff || version[0] == 0 && future {
		return Context{}
	}
	var c Context
	_, err1 := hex.Decode(c.Trace[:], []byte(s[3:35]))
	_, err2 := hex.Decode(c.Span[:], []byte(s[36:52]))
	flags, err3 := hex.DecodeString(s[53:55])
	if err1 != nil || err2 != nil || err3 != nil || c.IsZero() {
		return Context{}
	}
	c.Sampled = flags[0]&1 != 0
	return c
}

type key struct{}

// With returns a context within a span.
func With(ctx context.Context, c Context) context.Context {
	if c.IsZero() {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

// From returns the span that a context is within, or the zero context.
func From(ctx context.Context) Context {
	c, _ := ctx.Value(key{}).(Context)
	return c
}

// Kinds of spans, as OTLP numbers them.
const (
	Internal = 1
	Server   = 2
	Client   = 3
	Producer = 4
	Consumer = 5
)

// Attribute says something of a span: a value is a string, bool, int64 or float64.
type Attribute struct {
	Key   string
	Value any
}

// String is an attribute that is a text.
func String(k, v string) Attribute { return Attribute{k, v} }

// Int is an attribute that is a whole number.
func Int(k string, v int64) Attribute { return Attribute{k, v} }

// Float is an attribute that is a number.
func Float(k string, v float64) Attribute { return Attribute{k, v} }

// Event is a moment within a span.
type Event struct {
	Name string
	At   time.Time
}

// Record is a span as it is sent. It need not have been timed here.
type Record struct {
	Context
	Parent     [8]byte // zero for the first of a trace
	Name       string
	Kind       int
	Start, End time.Time
	Attributes []Attribute
	Events     []Event
	Error      string // code of what went wrong, empty for nothing
}

// Span is one that is under way. A nil Span does nothing.
type Span struct {
	t *Tracer

	mu sync.Mutex // guards r
	r  Record
}

// Child returns a context for a span within parent, or for the first span of a trace. Its Sampled says whether to keep it.
func (t *Tracer) Child(parent Context) Context {
	c := parent
	if t == nil {
		return c
	}
	_, _ = rand.Read(c.Span[:]) // never fails: crypto/rand
	if parent.IsZero() {
		_, _ = rand.Read(c.Trace[:])
	}
	c.Sampled = t.samples(c, parent)
	return c
}

// Start begins a span within ctx's, and returns a context within it.
func (t *Tracer) Start(ctx context.Context, kind int, name string, attributes ...Attribute) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	parent := From(ctx)
	c := t.Child(parent)
	ctx = With(ctx, c)
	if !c.Sampled {
		return ctx, nil
	}
	return ctx, &Span{t: t, r: Record{Context: c, Parent: parent.Span, Name: name, Kind: kind, Start: time.Now(), Attributes: attributes}}
}

// Name gives the span another name.
func (s *Span) Name(name string) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.r.Name = name
	}
}

// Set adds attributes.
func (s *Span) Set(a ...Attribute) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.r.Attributes = append(s.r.Attributes, a...)
	}
}

// Event marks a moment.
func (s *Span) Event(name string) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.r.Events = append(s.r.Events, Event{name, time.Now()})
	}
}

// Fail says that the span failed, by a code without content.
func (s *Span) Fail(code string) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.r.Error = code
	}
}

// End ends the span and has it sent.
func (s *Span) End() {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.r.End = time.Now()
		s.t.Put(s.r)
	}
}
