package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/aitbc/aitbc/engine/llama/library"
)

// engineFlags are those of the command.
type engineFlags struct{ backend, from, registry string }

func engineCommand() command {
	return command{
		name: "engine", short: "Install llama.cpp, which runs models on GPUs, or list what is installed", words: "install|list", most: 1,
		setup: func(fs *flag.FlagSet) func(context.Context, *call) error {
			var f engineFlags
			fs.StringVar(&f.backend, "backend", "cpu", "`kind` of device: "+library.Backends())
			fs.StringVar(&f.from, "from", "", "`file` or URL of the npm package's archive, instead of a registry; of two packages both, with a comma between")
			fs.StringVar(&f.registry, "registry", "", "`URL` of an npm registry (default: npm's own setting)")
			return func(ctx context.Context, c *call) error {
				switch {
				case len(c.args) == 0 || c.args[0] != "install" && c.args[0] != "list":
					return &usageError{"engine: want install or list"}
				case c.args[0] == "list":
					return c.listEngines()
				}
				return c.installEngine(ctx, f)
			}
		},
	}
}

// installed is one build of llama.cpp on this machine.
type installed struct {
	Engine  string `json:"engine"`
	Version string `json:"version"`
	Backend string `json:"backend"`
	Folder  string `json:"folder"`
	Fetched *bool  `json:"fetched,omitempty"` // by this command
	Problem string `json:"problem,omitempty"`
}

func (c *call) installEngine(ctx context.Context, f engineFlags) error {
	b, err := library.Find(f.backend)
	if err != nil {
		return &usageError{"engine install: " + err.Error()}
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return &hinted{
			fmt.Errorf("there is no build of llama.cpp for %s on %s, only for Linux on amd64", runtime.GOOS, runtime.GOARCH),
			"run Ollama or llama-server, and offer its models by an engine of kind \"openai\"",
		}
	}
	if f.from != "" && f.registry != "" {
		return &usageError{"engine install: --from and --registry do not go together"}
	}
	if f.from == "" && f.registry == "" && b.Check(b.Folder(c.home.Engines())) != nil {
		if f.registry, err = library.Registry(ctx, c.Getenv); err != nil {
			return &hinted{err, "give --registry URL, or --from the archive of " + b.Packages()}
		}
	}
	from := library.Source{Registry: f.registry}
	if f.from != "" {
		from.From = strings.Split(f.from, ",")
	}
	folder, fetched, err := b.Install(ctx, c.home.Engines(), from, progress(c.Stderr))
	switch {
	case errors.Is(err, library.ErrUnknown):
		return &hinted{err, "the archive is not the one that this program knows: use another --registry, or --from"}
	case err != nil:
		return &hinted{err, "--registry names another npm registry, --from an archive that is here already"}
	}
	text := fmt.Sprintf("llama.cpp %s for %s is installed in %s\n", library.Version, b.Backend, folder)
	if !fetched {
		text = fmt.Sprintf("llama.cpp %s for %s was installed already in %s\n", library.Version, b.Backend, folder)
	}
	if b.Needs != "" {
		text += "it needs besides: " + b.Needs + "\n"
	}
	text += "an [[engine]] of kind \"llama\" in the settings offers a model with it\n"
	return c.print(installed{Engine: "llama.cpp", Version: library.Version, Backend: b.Backend, Folder: folder, Fetched: &fetched}, text)
}

// progress tells how much of an archive has come, every tenth.
func progress(w io.Writer) func(library.Archive, int64) {
	said := map[string]int64{} // tenths, by package
	return func(a library.Archive, n int64) {
		now := 10 * n / a.Bytes
		if tenth, begun := said[a.Package]; begun && tenth == now {
			return
		}
		said[a.Package] = now
		fmt.Fprintf(w, "aitbc-miner: %s: %d of %d MB\n", a.Package, n/1e6, a.Bytes/1e6)
	}
}

func (c *call) listEngines() error {
	list := []installed{}
	for _, b := range library.Installed(c.home.Engines()) {
		i := installed{Engine: "llama.cpp", Version: library.Version, Backend: b.Backend, Folder: b.Folder(c.home.Engines())}
		if err := b.Check(i.Folder); err != nil {
			i.Problem = err.Error()
		}
		list = append(list, i)
	}
	var text strings.Builder
	if len(list) == 0 {
		text.WriteString("no engine is installed: aitbc-miner engine install\n")
	}
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, i := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.Engine, i.Version, i.Backend, i.Folder)
		if i.Problem != "" {
			fmt.Fprintf(w, "\t\t\t→ %s: install it again\n", i.Problem)
		}
	}
	_ = w.Flush() // a strings.Builder takes everything
	return c.print(struct {
		Engines []installed `json:"engines"`
	}{list}, text.String())
}
