package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/contracts"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/audit"
	"github.com/aitbc/aitbc/chain/cmd/aitbcd/cli"
	"github.com/aitbc/aitbc/chain/internal/chaintest"
	"github.com/aitbc/aitbc/chain/setup"
)

// run runs a command in this process.
func run(env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = cli.Main(context.Background(), cli.World{
		Args: args, Getenv: func(k string) string { return env[k] }, Stdout: &out, Stderr: &err,
	})
	return code, out.String(), err.String()
}

// allocFile funds the test accounts.
func allocFile(t *testing.T) string {
	t.Helper()
	m := map[string]string{}
	for i := range chaintest.Accounts {
		m[chaintest.Address(i).Hex()] = chaintest.Funds.String()
	}
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	return file(t, string(raw))
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestInitMakesANetworkOfItsOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "n")
	code, out, stderr := run(nil, "init", "--home", dir, "--alloc", allocFile(t), "--json")
	require.Zero(t, code, stderr)
	var r setup.Result
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.GreaterOrEqual(t, r.ChainID.BitLen(), 41, "at least 2^40")
	require.LessOrEqual(t, r.ChainID.BitLen(), 48)
	require.Equal(t, "26000000000000000000000", r.Supply)
	require.Equal(t, contracts.TimelockAddress, r.Governor, "votes govern")

	code, out, stderr = run(nil, "check", "--home", dir, "--json", "--port-offset", "20000")
	require.Zero(t, code, stderr)
	var report audit.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.True(t, report.OK)
	require.Equal(t, r.Genesis, report.Hash)
	require.Equal(t, "26000000000000000000000", report.Supply.Total)
	require.Greater(t, len(report.Predeploys), 3)

	code, _, stderr = run(nil, "init", "--home", dir)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "aitbcd: the folder holds a node already")
	require.Contains(t, stderr, "aitbcd: hint: ")
}

func TestFailuresSayWhatAndWhatToDo(t *testing.T) {
	empty := t.TempDir()
	badConfig := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(badConfig, "aitbcd.toml"), []byte("blocktime = 1"), 0o600))
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		code int
		want string
	}{
		"no command":         {nil, nil, 2, "usage: aitbcd COMMAND"},
		"unknown command":    {[]string{"run"}, nil, 2, `there is no command "run"`},
		"unknown flag":       {[]string{"start", "--hom", "x"}, nil, 2, "-hom"},
		"stray word":         {[]string{"start", "now"}, nil, 2, `what is "now"?`},
		"no home":            {[]string{"start", "--home", empty}, nil, 1, "there is no node in this folder"},
		"nothing running":    {[]string{"status", "--home", empty, "--port-offset", "20000"}, nil, 1, "hint: aitbcd start"},
		"check of nothing":   {[]string{"check", "--home", empty, "--port-offset", "20000"}, nil, 1, "there is no node in this folder"},
		"negative height":    {[]string{"check", "--home", empty, "--height", "-5"}, nil, 2, "--height"},
		"port out of range":  {[]string{"status", "--home", empty, "--port-offset", "60000"}, nil, 2, "out of range"},
		"unknown key":        {[]string{"status", "--home", badConfig}, nil, 1, `unknown key "blocktime"`},
		"staking mode":       {[]string{"start", "--home", empty}, map[string]string{"CONSENSUS_MODE": "pow"}, 1, "none of poa, pos, hybrid"},
		"staking mode, flag": {[]string{"start", "--home", empty, "--consensus-mode", "pow"}, nil, 1, "none of poa, pos, hybrid"},
		"bad block time":     {[]string{"start", "--home", empty}, map[string]string{"BLOCK_TIME": "soon"}, 1, "BLOCK_TIME"},
		"bad chain id":       {[]string{"init", "--home", empty, "--chain-id", "x"}, nil, 2, "--chain-id"},
		"huge chain id":      {[]string{"init", "--home", empty, "--chain-id", strings.Repeat("9", 30)}, nil, 1, "64-bit"},
		"alloc: no file":     {[]string{"init", "--home", empty, "--alloc", "/none"}, nil, 1, "read balances"},
		"alloc: address":     {[]string{"init", "--home", empty, "--alloc", file(t, `{"0x12":"1"}`)}, nil, 1, "40 hex digits"},
		"alloc: amount":      {[]string{"init", "--home", empty, "--alloc", file(t, `{"`+chaintest.Address(0).Hex()+`":"-1"}`)}, nil, 1, "base units"},
		"alloc: twice": {[]string{"init", "--home", empty, "--alloc", file(t, `{"`+chaintest.Address(0).Hex()+`":"1","`+
			strings.ToLower(chaintest.Address(0).Hex())+`":"1"}`)}, nil, 1, "twice"},
		"params: unknown": {[]string{"init", "--home", empty, "--params", file(t, `{"gouvernor":"0x"}`)}, nil, 1, "unknown field"},
		"params: bounds":  {[]string{"init", "--home", empty, "--params", file(t, `{"market":{"fee_bps":10001}}`)}, nil, 1, "create"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, stderr := run(c.env, c.args...)
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, stderr, c.want)
			require.Empty(t, out, "nothing but results is on stdout")
		})
	}
	left, err := os.ReadDir(empty)
	require.NoError(t, err)
	require.Empty(t, left, "a failed init leaves nothing")
}

func TestVersionNamesWhatItIsMadeOf(t *testing.T) {
	code, out, _ := run(nil, "version", "--json")
	require.Zero(t, code)
	var v map[string]string
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.NotEmpty(t, v["version"])
	require.NotEmpty(t, v["go"])
	code, _, stderr := run(nil, "help")
	require.Zero(t, code)
	require.Contains(t, stderr, "check")
	code, _, stderr = run(nil, "start", "--help")
	require.Zero(t, code)
	require.Contains(t, stderr, "port-offset")
}
