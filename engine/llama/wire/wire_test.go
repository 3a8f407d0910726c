package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/chat"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

func TestFramesComeBack(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	want := []wire.Ask{
		{ID: 1, Begin: &wire.Request{
			Parts: []chat.Part{{Text: "<|user|>", Control: true}, {Text: "Größe\x00\""}}, Ends: []string{"</s>"},
			MaxTokens: 7, TemperatureMilli: 800, Seed: 1<<64 - 1, ResponseFormat: []byte(`{"type":"json_object"}`), Grammar: `root ::= "x"`, Unspaced: true,
		}},
		{ID: 1, More: 8},
		{ID: 2, Cancel: true},
	}
	for _, a := range want {
		if err := wire.Write(&b, a); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range want {
		var got wire.Ask
		if err := wire.Read(&b, wire.MostAsk, &got); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("got %+v, %v, want %+v", got, err, a)
		}
	}
	if err := wire.Read(&b, wire.MostAsk, new(wire.Ask)); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestWhatIsNoFrameIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw  string
		want error
	}{
		"too long":    {"\xff\xff\xff\xff{}", wire.ErrFrame},
		"no JSON":     {"\x02\x00\x00\x00}{", wire.ErrFrame},
		"cut head":    {"\x02\x00", io.ErrUnexpectedEOF},
		"cut body":    {"\x04\x00\x00\x00{}", io.ErrUnexpectedEOF},
		"other types": {"\x0a\x00\x00\x00{\"id\":\"x\"}", wire.ErrFrame},
	} {
		if err := wire.Read(strings.NewReader(c.raw), 1<<10, new(wire.Reply)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Errors of package engine come through, and others are no secret way in.
func TestErrorsComeThrough(t *testing.T) {
	t.Parallel()
	for _, err := range []error{engine.ErrBadRequest, engine.ErrTooLong, engine.ErrUnsupported} {
		if got := wire.Refuse(fmt.Errorf("why: %w", err)).Err(); !errors.Is(got, err) || !strings.Contains(got.Error(), "why") {
			t.Errorf("%v became %v", err, got)
		}
	}
	for _, d := range []*wire.Done{wire.Refuse(io.EOF), {Code: "magic", Text: "\x1b[31m"}} {
		if got := d.Err(); !errors.Is(got, engine.ErrUnavailable) || strings.Contains(got.Error(), "\x1b") {
			t.Errorf("%+v became %v", d, got)
		}
	}
	if err := (&wire.Done{Reason: engine.Stopped}).Err(); err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00{\"id\":1}"))
	f.Add([]byte("\x1c\x00\x00\x00{\"id\":1,\"token\":{\"id\":70000}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r wire.Reply
		if wire.Read(bytes.NewReader(raw), 1<<12, &r) != nil {
			return
		}
		var b bytes.Buffer
		var again wire.Reply
		if err := wire.Write(&b, r); err != nil {
			t.Fatal(err)
		}
		if err := wire.Read(&b, 1<<16, &again); err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
