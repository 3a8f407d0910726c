package config_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/config"
)

type settings struct {
	Name   string `toml:"name" env:"T_NAME" flag:"name"`
	Server struct {
		Addr    string        `toml:"addr" env:"T_ADDR"`
		Timeout time.Duration `toml:"timeout" env:"T_TIMEOUT"`
		Port    uint16        `toml:"port" env:"T_PORT" flag:"port"`
	} `toml:"server"`
	Debug bool     `toml:"debug" env:"T_DEBUG"`
	Share float64  `toml:"share" env:"T_SHARE"`
	Tags  []string `toml:"tags" env:"T_TAGS"`
	GPUs  []int    `toml:"gpus" env:"T_GPUS"`
}

func (s *settings) Validate() error {
	if s.Name == "bad" {
		return errors.New("name is bad")
	}
	return nil
}

func file(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func env(m map[string]string) func(string) string { return func(k string) string { return m[k] } }

func TestEachSourceOverridesTheOneBefore(t *testing.T) {
	t.Parallel()
	var s settings
	s.Name, s.Server.Addr, s.Server.Port, s.Server.Timeout = "default", "default", 1, time.Second
	f := flag.NewFlagSet("t", flag.ContinueOnError)
	f.String("name", "unused default", "")
	f.Int("port", 9, "")
	if err := f.Parse([]string{"--port", "4"}); err != nil {
		t.Fatal(err)
	}
	err := config.Load(&s, config.Source{
		File:  file(t, "name = 'file'\ndebug = true\n[server]\nport = 2\ntimeout = '3s'\n"),
		Env:   env(map[string]string{"T_NAME": "env", "T_PORT": "3", "T_TAGS": "a, b", "T_GPUS": "0,1", "T_DEBUG": "false", "T_SHARE": "0.25"}),
		Flags: f,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "env" || s.Server.Addr != "default" || s.Server.Port != 4 || s.Server.Timeout != 3*time.Second || s.Debug || s.Share != 0.25 ||
		!slices.Equal(s.Tags, []string{"a", "b"}) || !slices.Equal(s.GPUs, []int{0, 1}) {
		t.Fatalf("got %+v", s)
	}
}

func TestUnknownKeyNamesKeyAndFile(t *testing.T) {
	t.Parallel()
	p := file(t, "[server]\nprot = 2\n")
	err := config.Load(&settings{}, config.Source{File: p})
	if !errors.Is(err, config.ErrUnknownKey) || !strings.Contains(err.Error(), p) || !strings.Contains(err.Error(), `"server.prot"`) {
		t.Fatalf("err = %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "none.toml")
	if err := config.Load(&settings{}, config.Source{File: p}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("required: %v", err)
	}
	if err := config.Load(&settings{}, config.Source{File: p, Optional: true}); err != nil {
		t.Errorf("optional: %v", err)
	}
}

func TestBadValuesNameTheirPlace(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		src  config.Source
		want string
	}{
		"syntax":   {config.Source{File: file(t, "name = 'a'\n[server\n")}, "config.toml, line"},
		"type":     {config.Source{File: file(t, "name = 3\n")}, "name"},
		"range":    {config.Source{File: file(t, "[server]\nport = 70000\n")}, "line 2: 70000"},
		"env":      {config.Source{Env: env(map[string]string{"T_PORT": "-1"})}, "T_PORT"},
		"duration": {config.Source{Env: env(map[string]string{"T_TIMEOUT": "5"})}, "T_TIMEOUT"},
		"bool":     {config.Source{Env: env(map[string]string{"T_DEBUG": "maybe"})}, "T_DEBUG"},
		"validate": {config.Source{Env: env(map[string]string{"T_NAME": "bad"})}, "name is bad"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := config.Load(&settings{}, c.src); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("err = %v, want mention of %q", err, c.want)
			}
		})
	}
}
