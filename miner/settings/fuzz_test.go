package settings_test

import (
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/miner/settings"
)

// Whatever a file says, it is refused, or it gives settings that hold what the rest of the miner counts on.
func FuzzLoad(f *testing.F) {
	usual := settings.Initial{Address: address}.Text()
	f.Add(usual)
	f.Add(usual + "[[engine]]\nkind = 'container'\nname = 'tool'\nimage = 'sha256:12'\nsecond_rate = '0.000001'\n")
	f.Add(usual + "[[engine]]\nkind = 'llama'\npath = '/m.gguf'\nmax_tokens = 64\ngpus = [0, 1]\nmemory_mb = 2048\n")
	f.Add(usual + "[[engine]]\nkind = 'openai'\nurl = 'http://127.0.0.1:1'\nmodels = ['a']\nmax_tokens = 1\nprompt_rate = '1e9'\n")
	f.Add("[mining]\nslots = -1\ngrace = '9h'\n[machine]\nvram_gb = 18446744073709551615\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := write(t, text)
		s, err := settings.Load(d, none, nil)
		if err != nil {
			return
		}
		m := s.Mining
		if m.Slots < 1 || m.Slots > 1024 || m.GPUSlots < 0 || m.GPUMemoryFraction <= 0 || m.GPUMemoryFraction > 1 || m.Grace < 0 || s.Keys.Address == (common.Address{}) || len(s.Engines) == 0 {
			t.Errorf("%+v", s)
		}
		for _, e := range s.Engines {
			if e.Kind != settings.KindContainer && e.MaxTokens == 0 || e.Kind == settings.KindContainer && (e.MaxSeconds == 0 || e.CPUs <= 0 || e.MemoryMB <= 0 || e.DiskMB <= 0) || e.Threads < 0 {
				t.Errorf("engine %+v", e)
			}
		}
		again, err := settings.Load(d, none, nil)
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("%+v, then %+v, %v", s, again, err)
		}
	})
}
