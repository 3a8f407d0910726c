package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/wallet/daemon/serve"
)

func envCommand() command {
	return command{
		name: "env", short: "print the settings of a client of this network, for eval",
		long: `Prints export lines: eval "$(aitbc env)" makes any OpenAI program a client of
this network. It prints the API key: keep the output to yourself.`,
		setup: func(*flag.FlagSet) runner { return func(_ context.Context, c *call) error { return c.env() } },
	}
}

func (c *call) env() error {
	n, err := c.network()
	if err != nil {
		return err
	}
	key, err := secret.ReadFile(n.ClientKeyFile())
	if errors.Is(err, fs.ErrNotExist) {
		return hint(fmt.Errorf("%s has no API key yet", n.Home), "aitbc up starts a network there and stores one")
	}
	if err != nil {
		return err
	}
	type variable struct{ name, value string }
	list := []variable{
		{envAPIURL, n.APIURL()},
		{envAPIKey, key.Reveal()},
		{envRPCURL, n.RPCURL()},
		{envEthRPCURL, n.EthRPCURL()},
		{"OPENAI_BASE_URL", n.APIURL() + "/v1"},
		{"OPENAI_API_KEY", key.Reveal()},
		{envWalletURL, n.WalletURL()},
	}
	wallet, err := secret.ReadFile(serve.KeyFile(n.Home))
	switch {
	case err == nil:
		list = append(list, variable{envWalletKey, wallet.Reveal()})
	case !errors.Is(err, fs.ErrNotExist): // without a wallet daemon there is none
		return err
	}
	if c.json {
		m := map[string]string{}
		for _, v := range list {
			m[v.name] = v.value
		}
		return c.printJSON(m)
	}
	for _, v := range list {
		fmt.Fprintf(c.Stdout, "export %s=%s\n", v.name, quote(v.value))
	}
	return nil
}

// quote makes s one word of a shell, whatever it holds.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
