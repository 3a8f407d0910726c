package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/settings"
)

// interview asks a person what init does not know: questions go to standard error, answers come from a terminal, which gives
// a line at a time.
type interview struct {
	in  *bufio.Reader
	out io.Writer
}

// person returns whom to ask, nil if nobody is there or nothing shall be asked.
func (c *call) person(yes bool) *interview {
	if yes || c.Stdin == nil || !term.IsTerminal(int(c.Stdin.Fd())) {
		return nil
	}
	return &interview{bufio.NewReader(c.Stdin), c.Stderr}
}

// ask asks for a line; an empty answer is the usual one.
func (i *interview) ask(question, usual string) (string, error) {
	fmt.Fprintf(i.out, "%s [%s]: ", question, usual)
	text, err := i.in.ReadString('\n')
	if err != nil && (text == "" || !errors.Is(err, io.EOF)) {
		return "", fmt.Errorf("no answer: %w", err)
	}
	if text = strings.TrimSpace(text); text == "" {
		return usual, nil
	}
	return text, nil
}

// yes asks a question that is answered by yes or no.
func (i *interview) yes(question string) (bool, error) {
	for {
		text, err := i.ask(question, "yes")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(text) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
		fmt.Fprintln(i.out, "yes or no?")
	}
}

// coordinator asks which one to work for.
func (i *interview) coordinator(usual string) (string, error) {
	for {
		url, err := i.ask("coordinator", usual)
		if err != nil {
			return "", err
		}
		if _, err := httpx.NewClient(url); err == nil {
			return url, nil
		}
		fmt.Fprintln(i.out, "want a URL such as https://coordinator.example")
	}
}

// offers asks which of the models that were found to offer, and for how much.
func (i *interview) offers(found []proposal) ([]settings.Engine, error) {
	var engines []settings.Engine
	for _, p := range found {
		ok, err := i.yes("offer " + p.String())
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		for _, r := range []struct {
			what string
			rate *settings.Price
		}{{"  AITBC per 10^6 tokens of the prompt", &p.engine.PromptRate}, {"  AITBC per 10^6 tokens of the answer", &p.engine.CompletionRate}} {
			if err := i.amount(r.what, &r.rate.Amount); err != nil {
				return nil, err
			}
		}
		engines = append(engines, p.engine)
	}
	return engines, nil
}

func (i *interview) amount(question string, a *market.Amount) error {
	for {
		text, err := i.ask(question, strings.TrimSuffix(a.Coins(), " AITBC"))
		if err != nil {
			return err
		}
		given, err := market.ParseCoins(text)
		if err == nil {
			*a = given
			return nil
		}
		fmt.Fprintln(i.out, "want an amount such as 0.5")
	}
}

// machine says which GPUs there are.
func (i *interview) machine(ctx context.Context) {
	list, err := gpu.This().Devices(ctx)
	if err != nil {
		fmt.Fprintf(i.out, "the GPUs cannot be looked at: %v\n", err)
	}
	fmt.Fprint(i.out, gpuTable(list))
}
