package artifact_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/receipt/artifact"
)

func answer(lines ...artifact.Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Encode())
	}
	return b.String()
}

func part(path, data string) artifact.Line {
	return artifact.Line{File: &artifact.Part{Path: path, Data: []byte(data)}}
}

func file(path, data string) artifact.File {
	return artifact.File{Path: path, Size: uint64(len(data)), SHA256: artifact.Sum([]byte(data))}
}

func end(files ...artifact.File) artifact.Line {
	return artifact.Line{End: &artifact.End{Reason: artifact.Exited, Millis: 1, Files: files}}
}

var start = artifact.Line{Start: &artifact.Start{Image: "sha256:1"}}

func TestAnAnswerIsReadBack(t *testing.T) {
	t.Parallel()
	text := answer(start, artifact.Line{Out: "<a>\n"}, artifact.Line{Err: "b"}, artifact.Line{Out: "c"}, part("d/e", "12"), part("d/e", "34"), part("f", ""), end(file("d/e", "1234"), file("f", "")))
	r, err := artifact.Read(text)
	if err != nil || r.Out != "<a>\nc" || r.Err != "b" || string(r.Files["d/e"]) != "1234" || len(r.Files) != 2 || r.Image != "sha256:1" {
		t.Fatalf("%+v %v", r, err)
	}
	// Each line is a leaf.
	salt := receipt.Salt{1}
	want := receipt.NewOutput(salt)
	for line := range strings.Lines(text) {
		want.Text(line)
	}
	if artifact.Commitment(text, salt) != want.Root() || artifact.Commitment(text[1:], salt) == want.Root() {
		t.Error("the commitment is not to the lines")
	}
}

func TestWhatWasChangedIsNotRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":          "",
		"breaks off":     answer(start, artifact.Line{Out: "a"}),
		"cut line":       strings.TrimSuffix(answer(end()), "\n"),
		"other content":  answer(part("a", "x"), end(file("a", "y"))),
		"file missing":   answer(end(file("a", "y"))),
		"file unnamed":   answer(part("a", "x"), end()),
		"upwards":        answer(part("../a", "x"), end(file("../a", "x"))),
		"not clean":      answer(part("a/../b", "x"), end(file("a/../b", "x"))),
		"absolute":       answer(part("/a", "x"), end(file("/a", "x"))),
		"for a terminal": answer(part("a\x1b[2J", "x"), end(file("a\x1b[2J", "x"))),
		"after the end":  answer(end(), artifact.Line{Out: "a"}),
		"other writing":  "{ \"out\":\"a\"}\n" + answer(end()),
		"other field":    "{\"more\":1}\n" + answer(end()),
	} {
		if r, err := artifact.Read(text); !errors.Is(err, artifact.ErrDamaged) {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(answer(start, artifact.Line{Out: "a"}, part("d/e", "12"), end(file("d/e", "12"))))
	f.Add("{\"out\":\"\\u0000\"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := artifact.Read(text)
		if err != nil {
			return
		}
		for path, content := range r.Files {
			if !artifact.GoodPath(path) || len(r.End.Files) != len(r.Files) {
				t.Errorf("%q of %d bytes", path, len(content))
			}
		}
	})
}
