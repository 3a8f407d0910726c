package cli

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -X github.com/aitbc/aitbc/chain/cmd/aitbcd/cli.version=v1.2.3
var version string

// Version is the version that the binary was built as, or the revision that Go recorded.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if revision != "" {
		return revision + modified
	}
	return cmp.Or(info.Main.Version, "unknown")
}

func printVersion(_ context.Context, c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	v := map[string]string{"version": Version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	for path, name := range map[string]string{"github.com/cometbft/cometbft": "cometbft", "github.com/ethereum/go-ethereum": "go_ethereum"} {
		v[name] = dependency(path)
	}
	if *c.json {
		return c.print(v)
	}
	fmt.Fprintf(c.Stdout, "aitbcd %s (%s, %s, CometBFT %s, go-ethereum %s)\n", v["version"], v["go"], v["platform"], v["cometbft"], v["go_ethereum"])
	return nil
}

func dependency(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}
	return "unknown"
}
