package cli

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

func (c *call) overview(w io.Writer) error {
	fmt.Fprint(w, `aitbc: a market for AI compute that nobody has to trust

usage: aitbc [--home DIR] [--port-offset N] [--json] COMMAND ...

`)
	t := newTable(w)
	for _, k := range commands() {
		t.row("  "+k.name, k.short)
	}
	t.row("  help", "explain a command")
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprint(w, `
aitbc COMMAND --help shows a command's flags. Exit status: 0 done, 1 failed, 2 wrong usage.
`)
	return nil
}

// help serves "aitbc help WORD...".
func (c *call) help(words []string) error {
	if len(words) == 0 || isHelp(words[0]) {
		return c.overview(c.Stdout)
	}
	among, path := commands(), ""
	for {
		var found *command
		for i := range among {
			if among[i].name == words[0] {
				found = &among[i]
			}
		}
		path = strings.TrimSpace(path + " " + words[0])
		if found == nil {
			return &usageError{"", fmt.Sprintf("unknown command %q", path)}
		}
		if len(words) == 1 || len(found.subs) == 0 {
			return c.describe(path, *found)
		}
		among, words = found.subs, words[1:]
	}
}

// describe prints the help of one command.
func (c *call) describe(path string, k command) error {
	w := c.Stdout
	fmt.Fprintf(w, "aitbc %s: %s\n\n", path, k.short)
	if len(k.subs) > 0 {
		fmt.Fprintf(w, "usage: aitbc %s COMMAND ...\n\n", path)
		t := newTable(w)
		for _, s := range k.subs {
			t.row("  "+strings.TrimSpace(s.name+" "+s.args), s.short)
		}
		if err := t.flush(); err != nil || k.setup == nil {
			return err
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "usage: aitbc %s\n", strings.TrimSpace(path+" "+k.args))
	if k.long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(k.long))
	}
	fs := flag.NewFlagSet(path, flag.ContinueOnError)
	(&call{offsetFlag: -1}).declare(fs)
	k.setup(fs)
	fmt.Fprintln(w, "\nflags:")
	t := newTable(w)
	fs.VisitAll(func(f *flag.Flag) {
		arg, usage := flag.UnquoteUsage(f)
		name := "  --" + f.Name
		if arg != "" {
			name += " " + strings.ToUpper(arg)
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		t.row(name, usage)
	})
	return t.flush()
}
