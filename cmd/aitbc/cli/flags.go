package cli

import (
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/aitbc/aitbc/internal/home"
	"github.com/aitbc/aitbc/market"
)

// parseMixed parses flags that may stand before, between and after the
// arguments, which it returns. "--" ends the flags; a lone "-" is an argument.
func parseMixed(fs *flag.FlagSet, words []string) (args []string, err error) {
	for {
		before := len(words)
		if err := fs.Parse(words); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if taken := before - len(rest); taken > 0 && words[taken-1] == "--" {
			return append(args, rest...), nil
		}
		if len(rest) == 0 {
			return args, nil
		}
		args, words = append(args, rest[0]), rest[1:]
	}
}

// tidyFlagError words an error of package flag with the two dashes that our help shows.
func tidyFlagError(err error) string {
	s := err.Error()
	for _, prefix := range []string{"flag provided but not defined: -", "flag needs an argument: -"} {
		if name, ok := strings.CutPrefix(s, prefix); ok {
			if strings.HasPrefix(prefix, "flag provided") {
				return "there is no flag --" + strings.TrimPrefix(name, "-")
			}
			return "flag --" + strings.TrimPrefix(name, "-") + " needs a value"
		}
	}
	return strings.Replace(s, " for flag -", " for flag --", 1)
}

func parseOffset(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("want a whole number from 0")
	}
	if _, err := home.Loopback(home.PortMetrics, n); err != nil {
		return 0, err
	}
	return n, nil
}

// amountFlag declares a flag whose value is an amount in AITBC, such as 0.5.
func amountFlag(fs *flag.FlagSet, name, usage string) *optionalAmount {
	var a optionalAmount
	fs.Func(name, usage, func(s string) (err error) {
		a.value, err = market.ParseCoins(s)
		a.given = err == nil
		return err
	})
	return &a
}

type optionalAmount struct {
	value market.Amount
	given bool
}

func plural(low, high int) string {
	switch {
	case low == high:
		return counted(low)
	case low == 0:
		return "at most " + counted(high)
	}
	return fmt.Sprintf("%d to %s", low, counted(high))
}

// counted words a number of arguments.
func counted(n int) string {
	switch n {
	case 0:
		return "no argument"
	case 1:
		return "one argument"
	}
	return strconv.Itoa(n) + " arguments"
}
