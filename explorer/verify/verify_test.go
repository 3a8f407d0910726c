package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/explorer/verify"
	"github.com/aitbc/aitbc/explorer/verify/verifytest"
)

var sums = common.HexToAddress("0x5ab5000000000000000000000000000000000001")

func request(name string) verify.Request {
	return verify.Request{Input: verifytest.Input(), Contract: verifytest.Path + ":" + name}
}

func deployed(t *testing.T, name string) verify.Deployed {
	t.Helper()
	c := verifytest.Load(t, name)
	d := verify.Deployed{Address: sums, Code: c.EVM.Runtime.Linked(t, sums), Creation: c.EVM.Creation.Linked(t, sums)}
	if name == "Sums" { // a library knows its own address
		copy(d.Code[1:], sums[:])
	}
	return d
}

// refused is what a person is told.
func refused(t *testing.T, err error, code apierr.Code) string {
	t.Helper()
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("%v, want a refusal with %s", err, code)
	}
	return e.Message
}

func TestASourceThatIsTheContractsMatchesInFull(t *testing.T) {
	t.Parallel()
	v := verify.New(verifytest.Compiler(t))
	for _, name := range []string{"Sums", "Counter", "Maker", "Proxy"} {
		d := deployed(t, name)
		d.Creation = append(d.Creation, 1, 2, 3)
		r := request(name)
		r.Compiler = "v0.8.37"
		got, err := v.Verify(t.Context(), d, r)
		if err != nil || got.Match != verify.Full || got.Name != name || got.Path != verifytest.Path || got.Compiler != verifytest.Version || !got.Created || !bytes.Equal(got.Arguments, []byte{1, 2, 3}) {
			t.Errorf("%s: %+v, %v", name, got.Match, err)
		}
		if at, calls := got.Libraries[verifytest.Path+":Sums"]; calls != (name == "Counter" || name == "Maker") || calls && at != sums {
			t.Errorf("%s: libraries %v", name, got.Libraries)
		}
	}
	// The name alone, the version out of the code, and nobody knows what made it.
	d := deployed(t, "Counter")
	d.Creation = nil
	if got, err := v.Verify(t.Context(), d, verify.Request{Input: verifytest.Input(), Contract: "Counter"}); err != nil || got.Match != verify.Full || got.Created {
		t.Errorf("%+v, %v", got, err)
	}
}

// Other comments give another fingerprint, at the end and in the code of contracts that
// this one makes; the code is the same.
func TestOtherCommentsMatchInPart(t *testing.T) {
	t.Parallel()
	v := verify.New(verifytest.Compiler(t))
	for _, name := range []string{"Sums", "Counter", "Maker"} {
		d := deployed(t, name)
		n := 0
		for _, code := range [][]byte{d.Code, d.Creation} {
			for at := 0; ; n++ {
				i := bytes.Index(code[at:], []byte("ipfs\x58\x22\x12\x20"))
				if i < 0 {
					break
				}
				at += i + 20
				code[at] ^= 0xff
			}
		}
		got, err := v.Verify(t.Context(), d, request(name))
		if want := map[string]int{"Sums": 2, "Counter": 2, "Maker": 4}[name]; err != nil || got.Match != verify.Partial || !got.Created || n != want {
			t.Errorf("%s with %d other fingerprints: %v, %v", name, n, got.Match, err)
		}
	}
}

// What only looks like a fingerprint is a constant of the source, and must be the same.
func TestAConstantIsNoFingerprint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	answer := filepath.Join(dir, "output.json")
	if err := os.WriteFile(answer, verifytest.Output(), 0o600); err != nil {
		t.Fatal(err)
	}
	// This compiler gives the same, whatever the comments are.
	v := verify.New(verifytest.Program(t, dir, "solc", "cat "+answer))
	d := deployed(t, "Maker")
	d.Code[bytes.Index(d.Code, []byte("ipfs\x58\x22\x12\x20"))+20] ^= 0xff
	_, err := v.Verify(t.Context(), d, request("Maker"))
	if says := refused(t, err, apierr.Invalid); !strings.Contains(says, "the code of Maker is not that of this contract") {
		t.Error(says)
	}
}

// A compiler that leaves the fingerprint out makes code that commits to no source.
func TestCodeWithoutFingerprintMatchesInPart(t *testing.T) {
	t.Parallel()
	v := verify.New(verifytest.Compiler(t))
	d := deployed(t, "Proxy")
	n := bytes.Index(d.Code, []byte("\xa2\x64ipfs"))
	d.Code, d.Creation = d.Code[:n], nil
	got, err := v.Verify(t.Context(), d, verify.Request{Input: verifytest.Input(), Contract: "Proxy"})
	if err != nil || got.Match != verify.Partial {
		t.Errorf("%v, %v", got.Match, err)
	}
}

func TestWhatDiffersIsSaid(t *testing.T) {
	t.Parallel()
	v := verify.New(verifytest.Compiler(t))
	for what, c := range map[string]struct {
		change func(d *verify.Deployed, r *verify.Request)
		code   apierr.Code
		says   string
	}{
		"no code":         {func(d *verify.Deployed, _ *verify.Request) { d.Code = nil }, apierr.NotFound, "no contract at this address"},
		"delegated":       {func(d *verify.Deployed, _ *verify.Request) { d.Code = append([]byte{0xef, 1, 0}, sums[:]...) }, apierr.Invalid, "runs another contract's code"},
		"another byte":    {func(d *verify.Deployed, _ *verify.Request) { d.Code[30]++ }, apierr.Invalid, "from byte 30 on the chain has 0x"},
		"longer":          {func(d *verify.Deployed, _ *verify.Request) { d.Code = append([]byte{0}, d.Code...) }, apierr.Invalid, "the lengths are"},
		"short":           {func(d *verify.Deployed, _ *verify.Request) { d.Code = d.Code[:9] }, apierr.Invalid, "the contract has 9 bytes"},
		"two values":      {func(d *verify.Deployed, _ *verify.Request) { immutable(t, d, 0) }, apierr.Invalid, "an immutable value would be two different ones"},
		"constructor":     {func(d *verify.Deployed, _ *verify.Request) { d.Creation[0]++ }, apierr.Invalid, "its constructor is not this one"},
		"no constructor":  {func(d *verify.Deployed, _ *verify.Request) { d.Creation = d.Creation[:9] }, apierr.Invalid, ""},
		"arguments":       {func(_ *verify.Deployed, r *verify.Request) { r.Arguments = []byte{7} }, apierr.Invalid, "arguments were others: nothing"},
		"arguments blind": {func(d *verify.Deployed, r *verify.Request) { d.Creation, r.Arguments = nil, []byte{7} }, apierr.Invalid, "cannot be compared"},
		"other contract":  {func(_ *verify.Deployed, r *verify.Request) { r.Contract = "Maker" }, apierr.Invalid, ""},
		"no contract":     {func(_ *verify.Deployed, r *verify.Request) { r.Contract = "Nothing" }, apierr.Invalid, "makes no code"},
		"no file":         {func(_ *verify.Deployed, r *verify.Request) { r.Contract = "x.sol:Counter" }, apierr.Invalid, "has no source"},
		"no name":         {func(_ *verify.Deployed, r *verify.Request) { r.Contract = "" }, apierr.Invalid, "PATH:Name"},
		"no compiler":     {func(_ *verify.Deployed, r *verify.Request) { r.Compiler = "0.4.11" }, apierr.Invalid, "does not have the compiler 0.4.11, but 0.8.37"},
		"other commit":    {func(_ *verify.Deployed, r *verify.Request) { r.Compiler = "0.8.37+commit.00000000" }, apierr.Invalid, "does not have"},
		"not a version":   {func(_ *verify.Deployed, r *verify.Request) { r.Compiler = "newest" }, apierr.Invalid, "is no version"},
		"no input":        {func(_ *verify.Deployed, r *verify.Request) { r.Input = json.RawMessage(`[]`) }, apierr.Invalid, "standard JSON"},
		"vyper":           {func(_ *verify.Deployed, r *verify.Request) { r.Input = json.RawMessage(`{"language":"Vyper"}`) }, apierr.Invalid, "only Solidity"},
		"no source":       {func(_ *verify.Deployed, r *verify.Request) { r.Input = json.RawMessage(`{"language":"Solidity"}`) }, apierr.Invalid, "has 0 sources"},
		"urls": {func(_ *verify.Deployed, r *verify.Request) {
			r.Input = json.RawMessage(`{"language":"Solidity","sources":{"a.sol":{"urls":["http://127.0.0.1/a.sol"]}}}`)
		}, apierr.Invalid, "no content"},
	} {
		d, r := deployed(t, "Counter"), request("Counter")
		c.change(&d, &r)
		got, err := v.Verify(t.Context(), d, r)
		if err == nil {
			t.Errorf("%s: %+v", what, got.Match)
			continue
		}
		if says := refused(t, err, c.code); !strings.Contains(says, c.says) {
			t.Errorf("%s: %s", what, says)
		}
	}
}

// immutable changes the first place of an immutable that stands at several.
func immutable(t *testing.T, d *verify.Deployed, by int) {
	t.Helper()
	for _, spans := range verifytest.Load(t, "Counter").EVM.Runtime.Immutables {
		if len(spans) > 1 {
			d.Code[spans[0].Start+5+by] ^= 1
			return
		}
	}
	t.Fatal("no immutable stands at two places")
}

// What is not a compiler, hangs, floods or leaves something running is stopped, and said.
func TestCompilersAreHeldWithinBounds(t *testing.T) {
	t.Parallel()
	ask := func(body string, change func(*verify.Verifier)) error {
		v := verify.New(verifytest.Program(t, t.TempDir(), "solc", body))
		if change != nil {
			change(v)
		}
		_, err := v.Verify(t.Context(), deployed(t, "Counter"), request("Counter"))
		return err
	}
	left := filepath.Join(t.TempDir(), "left")
	err := ask("sh -c 'echo $$ > "+left+"; exec sleep 600' & while [ ! -s "+left+" ]; do sleep 0.02; done; exec sleep 600", func(v *verify.Verifier) {
		if _, err := v.Find(t.Context(), ""); err != nil { // its version is known by then
			t.Fatal(err)
		}
		v.Within = 8 * time.Second
	})
	if says := refused(t, err, apierr.Invalid); !strings.Contains(says, "longer than 8s") {
		t.Error(says)
	}
	pid, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	waitGone(t, strings.TrimSpace(string(pid)))
	for body, want := range map[string]string{
		"exec yes":          "broke off",
		"exit 3":            "broke off",
		"echo hello":        "does not answer as solc",
		"echo '{}'":         "makes no code",
		"cat | head -c 100": "does not answer as solc",
		`cat > /dev/null; echo '{"errors":[{"severity":"warning","message":"w"},{"severity":"error","formattedMessage":"no such thing"}]}'`: "refuses the source: no such thing",
		`cat > /dev/null; echo '{"sources":{"/etc/passwd":{}}}'`:                                                                            "is not in the input",
	} {
		err := ask(body, nil)
		e, ok := errors.AsType[*apierr.Error](err)
		if !ok || !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := verify.New("").Verify(t.Context(), deployed(t, "Counter"), request("Counter")); !errors.Is(err, verify.ErrNone) {
		t.Error(err)
	}
	if _, err := verify.New("/nowhere/solc").Verify(t.Context(), deployed(t, "Counter"), request("Counter")); err == nil {
		t.Error("a compiler that is not there compiles")
	}
}

// waitGone waits until a process has ended, for a minute.
func waitGone(t *testing.T, pid string) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("process %s runs on", pid)
		}
	}
}

// The compiler sees the source and nothing of ours: neither the environment, nor files.
func TestACompilerIsToldNothingElse(t *testing.T) {
	t.Setenv("AITBC_PLANTED", "secret")
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	v := verify.New(verifytest.Program(t, dir, "solc", "{ env; pwd; ls -A; cat; } > "+seen+"; echo '{}'"))
	in := json.RawMessage(`{"language":"Solidity","sources":{"a.sol":{"content":"contract A {}"}},"settings":{"viaIR":true,"stopAfter":"parsing","modelChecker":{"solvers":["eld"]},"outputSelection":{"*":{"*":["*"]}}}}`)
	if _, err := v.Verify(t.Context(), deployed(t, "Counter"), verify.Request{Input: in, Contract: "A", Compiler: "0.8.37"}); err == nil {
		t.Fatal("nothing was compiled")
	}
	raw, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for _, not := range []string{"secret", "modelChecker", "stopAfter", `"*":["*"]`} {
		if bytes.Contains(raw, []byte(not)) {
			t.Errorf("the compiler sees %s:\n%s", not, raw)
		}
	}
	if !bytes.Contains(raw, []byte(`"viaIR":true`)) || !bytes.Contains(raw, []byte("contract A {}")) {
		t.Errorf("the compiler does not see the source:\n%s", raw)
	}
}

func TestCompilersOfAFolderAreFoundByVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"solc-v0.8.9", "solc-0.8.10", "solc-0.8.37+commit.f401782d", "solcjs"} {
		verifytest.Program(t, dir, name, "exit 1")
	}
	if err := os.WriteFile(filepath.Join(dir, "solc-0.9.0"), nil, 0o600); err != nil { // not to be run
		t.Fatal(err)
	}
	c := verify.Compilers{Path: dir, Within: time.Minute}
	got, err := c.Versions(t.Context())
	if want := []string{verifytest.Version, "0.8.10", "0.8.9"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if one, err := c.Find(t.Context(), "0.8.37"); err != nil || one.Version != verifytest.Version {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := c.Find(t.Context(), "0.8.10"); err == nil { // it says that it is another
		t.Error("a program's name is believed")
	}
	if _, err := c.Find(t.Context(), ""); err == nil || !strings.Contains(refused(t, err, apierr.Invalid), "one of 0.8.37") {
		t.Errorf("which of several: %v", err)
	}
}

// One contract is compiled at a time, and who goes away is not waited for.
func TestOneCompilationAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun, end := filepath.Join(dir, "begun"), filepath.Join(dir, "end")
	v := verify.New(verifytest.Program(t, dir, "solc", fmt.Sprintf("cat > /dev/null; echo x >> %s; while [ ! -e %s ]; do sleep 0.02; done; echo '{}'", begun, end)))
	v.Patience = 50 * time.Millisecond
	first, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := v.Verify(first, deployed(t, "Counter"), request("Counter"))
		done <- err
	}()
	for {
		if _, err := os.Stat(begun); err == nil {
			break
		}
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	_, err := v.Verify(t.Context(), deployed(t, "Counter"), request("Counter"))
	if says := refused(t, err, apierr.Unavailable); !strings.Contains(says, "another contract is being compiled") {
		t.Error(says)
	}
	leave()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("who left is told %v", err)
	}
	if raw, err := os.ReadFile(begun); err != nil || string(raw) != "x\n" {
		t.Errorf("compiled %q, %v", raw, err)
	}
}

// The compiler that contracts/ is built with, if it is installed there, says what was
// recorded, and is held to what memory it may have.
func TestARealCompiler(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "contracts", "node_modules", ".bin", "solcjs")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the compiler of contracts/ is not installed: cd contracts && npm ci; e2e runs it in any case")
	}
	v := verify.New(path)
	for _, name := range []string{"Counter", "Maker"} {
		got, err := v.Verify(t.Context(), deployed(t, name), request(name))
		if err != nil || got.Match != verify.Full {
			t.Errorf("%s: %v, %v", name, got.Match, err)
		}
	}
	other := request("Maker")
	other.Input = json.RawMessage(strings.ReplaceAll(string(other.Input), "Counts, and says", "Counts and says"))
	if got, err := v.Verify(t.Context(), deployed(t, "Maker"), other); err != nil || got.Match != verify.Partial {
		t.Errorf("with another comment: %v, %v", got.Match, err)
	}
	var in map[string]any
	if err := json.Unmarshal(verifytest.Input(), &in); err != nil {
		t.Fatal(err)
	}
	in["settings"].(map[string]any)["optimizer"] = map[string]any{"enabled": false}
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), deployed(t, "Proxy"), verify.Request{Input: raw, Contract: "Proxy"}); err == nil {
		t.Error("other settings are taken for the contract's")
	}
	// More than a pipe holds, and more than one thing to compile.
	sources := in["sources"].(map[string]any)
	for i := range 20 {
		sources[fmt.Sprintf("long%d.sol", i)] = map[string]any{"content": "// " + strings.Repeat("x", 50_000)}
	}
	in["settings"].(map[string]any)["optimizer"] = map[string]any{"enabled": true, "runs": 200}
	if raw, err = json.Marshal(in); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Verify(t.Context(), deployed(t, "Proxy"), verify.Request{Input: raw, Contract: "Proxy"}); err != nil || got.Match != verify.Full {
		t.Errorf("with long sources beside it: %v, %v", got.Match, err)
	}
	small := verify.New(path)
	small.Memory = 64 << 20
	if _, err := small.Verify(t.Context(), deployed(t, "Counter"), request("Counter")); err == nil {
		t.Error("a compiler takes more memory than it may have")
	}
}
