package cli

import (
	"testing"

	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
)

// What runs on this machine's GPUs is offered with their name; what does not, or may not, is not.
func TestOffersNameTheGPUThatTheyRunOn(t *testing.T) {
	t.Parallel()
	list := []gpu.Device{{Index: 0, Name: "A", MemoryTotal: 24 * gib}, {Index: 1, Name: "B", MemoryTotal: 80*gib - 1}}
	server := settings.Engine{Kind: settings.KindOpenAI, URL: "http://localhost:11434/v1"}
	for what, c := range map[string]struct {
		says   settings.Machine
		engine settings.Engine
		used   []int
		want   settings.Machine
	}{
		"the first":           {engine: server, want: settings.Machine{GPU: "A", VRAMGB: 24}},
		"the one in use":      {engine: server, used: []int{1}, want: settings.Machine{GPU: "B", VRAMGB: 79}},
		"none in use is here": {engine: server, used: []int{2}},
		"the owner's word":    {says: settings.Machine{GPU: "C", VRAMGB: 1, Region: "eu"}, engine: server, want: settings.Machine{GPU: "C", VRAMGB: 1, Region: "eu"}},
		"our own engine":      {engine: settings.Engine{Kind: settings.KindExact}},
		"another machine":     {engine: settings.Engine{Kind: settings.KindOpenAI, URL: "http://10.0.0.7:8000/v1"}},
		"loopback":            {engine: settings.Engine{Kind: settings.KindOpenAI, URL: "http://[::1]:8000/v1"}, want: settings.Machine{GPU: "A", VRAMGB: 24}},
	} {
		if got := describe(c.says, c.engine, c.used, list); got != c.want {
			t.Errorf("%s: %+v, want %+v", what, got, c.want)
		}
	}
}
