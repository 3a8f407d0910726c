package cli

import (
	"context"
	"flag"
	"fmt"
	"strings"
)

func completionCommand() command {
	return command{
		name: "completion", args: "bash", short: "print a completion script for a shell", min: 1, max: 1,
		long: `For bash: source <(aitbc completion bash)`,
		setup: func(*flag.FlagSet) runner {
			return func(_ context.Context, c *call) error {
				if c.args[0] != "bash" {
					return usagef("completion", "only bash is known, not %q", printable(c.args[0]))
				}
				words := strings.ReplaceAll(names(commands()), ",", "") + " help"
				script := fmt.Sprintf("complete -o default -W %s aitbc", quote(words))
				if c.json {
					return c.printJSON(map[string]string{"script": script})
				}
				_, err := fmt.Fprintln(c.Stdout, script)
				return err
			}
		},
	}
}
