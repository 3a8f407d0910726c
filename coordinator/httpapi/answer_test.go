package httpapi

import (
	"bytes"
	"encoding/json"
	"testing"
)

// The quick way to write a chunk gives the same bytes as the long one.
func TestTokensAreChunks(t *testing.T) {
	t.Parallel()
	for _, chat := range []bool{true, false} {
		a := &answer{chat: chat, id: "chatcmpl-1", created: 7, model: "a \"model\" <x>\x00"}
		for _, text := range []string{"", " one", "\"", "\n\x00 \u2028", "<b>&", "\xff", "日本"} {
			want, err := json.Marshal(a.chunk(text, false, ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.token(text)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("chat %v, %q:\n%s, want\n%s, %v", chat, text, got, want, err)
			}
		}
	}
}
