package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/settings"
)

// A stake that was changed is written to the settings; what counts over them is named, as the next start would stake by it.
func TestAChangedStakeIsWrittenDown(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{"": "mining.stake_amount = 900", "900": "mining.stake_amount = 900", "1000": "mining.stake_amount = 900, but AITBC_STAKE_AMOUNT=1000 counts over it: the next start goes by that unless you change it"} {
		dir := home.Dir(t.TempDir())
		file := settings.File(dir)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("[mining]\nstake_amount = 1000\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := &call{home: dir, Env: Env{Getenv: func(name string) string {
			if name == settings.StakeVariable {
				return env
			}
			return ""
		}}}
		if said := c.follow(market.Coins(900)); said != want {
			t.Errorf("%s=%q: %q, want %q", settings.StakeVariable, env, said, want)
		}
		raw, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(raw), "stake_amount = 900\n") {
			t.Errorf("%s %v", raw, err)
		}
	}
}
