package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
)

// maxDraft bounds what is read of a proposal's file.
const maxDraft = 1 << 20

// draft is a proposal in words.
type draft struct {
	Description string `json:"description"`
	Actions     []spec `json:"actions"`
}

// spec is one action in words: one of its fields.
type spec struct {
	Param           *paramSpec           `json:"param,omitempty"`
	Authority       *authoritySpec       `json:"authority,omitempty"`
	Spend           *spendSpec           `json:"spend,omitempty"`
	UpgradeContract *upgradeContractSpec `json:"upgrade_contract,omitempty"`
	UpgradeNode     *upgradeNodeSpec     `json:"upgrade_node,omitempty"`
	Call            *callSpec            `json:"call,omitempty"`
}

type paramSpec struct {
	Contract string            `json:"contract"`
	Set      map[string]string `json:"set"`
}

type authoritySpec struct {
	Admit  string `json:"admit,omitempty"`
	Remove string `json:"remove,omitempty"`
}

type spendSpec struct {
	To     string `json:"to"`
	Amount string `json:"amount"`
}

type upgradeContractSpec struct {
	Contract       string `json:"contract"`
	Implementation string `json:"implementation"`
	Data           string `json:"data,omitempty"`
}

type upgradeNodeSpec struct {
	Name   string `json:"name"`
	Height uint64 `json:"height"`
	Info   string `json:"info,omitempty"`
	Cancel bool   `json:"cancel,omitempty"`
}

type callSpec struct {
	To    string `json:"to"`
	Data  string `json:"data,omitempty"`
	Value string `json:"value,omitempty"`
}

// readDraft reads the file of the first argument; - is standard input.
func (c *call) readDraft(command string) (draft, error) {
	var in io.Reader = c.Stdin
	if path := c.args[0]; path != "-" {
		f, err := os.Open(path) //nolint:gosec // the file that the user names
		if err != nil {
			return draft{}, fmt.Errorf("read proposal: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	var out draft
	d := json.NewDecoder(io.LimitReader(in, maxDraft))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return out, hint(fmt.Errorf("read proposal: %s: %w", c.args[0], err), "aitbc %s --help shows what the file looks like", command)
	}
	return out, nil
}

// check finds what is missing.
func (s spec) check(command string) error {
	var kinds int
	var missing []string
	need := func(name, value string) {
		if value == "" {
			missing = append(missing, "--"+name)
		}
	}
	if a := s.Param; a != nil {
		kinds++
		need("contract", a.Contract)
		if len(a.Set) == 0 {
			missing = append(missing, "--set")
		}
	}
	if a := s.Authority; a != nil {
		kinds++
		if (a.Admit == "") == (a.Remove == "") {
			return usagef(command, "want either --admit or --remove")
		}
	}
	if a := s.Spend; a != nil {
		kinds++
		need("to", a.To)
		need("amount", a.Amount)
	}
	if a := s.UpgradeContract; a != nil {
		kinds++
		need("contract", a.Contract)
		need("implementation", a.Implementation)
	}
	if a := s.UpgradeNode; a != nil {
		kinds++
		if !a.Cancel {
			need("name", a.Name)
			if a.Height == 0 {
				missing = append(missing, "--height")
			}
		}
	}
	if a := s.Call; a != nil {
		kinds++
		need("to", a.To)
	}
	if kinds != 1 {
		return usagef(command, "an action is one of param, authority, spend, upgrade_contract, upgrade_node, call")
	}
	if len(missing) > 0 {
		return usagef(command, "%s missing", strings.Join(missing, ", "))
	}
	return nil
}

// actions encodes what the words say; parameters that are not named are read
// from the chain.
func (s spec) actions(ctx context.Context, c *call, command string, eth *chainclient.Client, at chainclient.Block) ([]predeploy.Action, error) {
	if a := s.Param; a != nil {
		if _, err := predeploy.ContractAddress(a.Contract); err != nil {
			return nil, usagef(command, "%v", err)
		}
		list, err := predeploy.SetParams(ctx, eth, a.Contract, a.Set, at)
		if err != nil {
			return nil, hint(err, "aitbc gov params %s lists the parameters and their values", a.Contract)
		}
		return list, nil
	}
	one, err := s.single(c, command)
	return []predeploy.Action{one}, err
}

// single encodes an action that needs nothing of the chain.
func (s spec) single(c *call, command string) (predeploy.Action, error) {
	var none predeploy.Action
	switch {
	case s.Authority != nil:
		word := s.Authority.Admit + s.Authority.Remove // one of them is empty
		operator, err := c.recipient(command, "admit", word)
		if err != nil {
			return none, err
		}
		return predeploy.SetAuthority(operator, s.Authority.Admit != "")
	case s.Spend != nil:
		to, err := c.recipient(command, "to", s.Spend.To)
		if err != nil {
			return none, err
		}
		amount, err := coins(command, s.Spend.Amount)
		if err != nil {
			return none, err
		}
		return predeploy.Spend(to, amount)
	case s.UpgradeContract != nil:
		a := s.UpgradeContract
		if _, err := predeploy.ContractAddress(a.Contract); err != nil {
			return none, usagef(command, "%v", err)
		}
		implementation, err := address(command, a.Implementation)
		if err != nil {
			return none, err
		}
		data, err := hexBytes(command, a.Data)
		if err != nil {
			return none, err
		}
		return predeploy.UpgradeContract(a.Contract, implementation, data)
	case s.UpgradeNode != nil:
		if a := s.UpgradeNode; !a.Cancel {
			return predeploy.UpgradeNode(predeploy.Plan{Name: a.Name, Height: a.Height, Info: a.Info})
		}
		return predeploy.CancelUpgrade()
	case s.Call != nil:
		to, err := c.recipient(command, "to", s.Call.To)
		if err != nil {
			return none, err
		}
		data, err := hexBytes(command, s.Call.Data)
		if err != nil {
			return none, err
		}
		value, err := coins(command, s.Call.Value)
		return predeploy.Action{Target: to, Value: value, Data: data}, err
	default:
		return none, errors.New("an action of no kind")
	}
}

func coins(command, text string) (market.Amount, error) {
	if text == "" {
		return market.Amount{}, nil
	}
	a, err := market.ParseCoins(text)
	if err != nil {
		return a, usagef(command, "%v", err)
	}
	return a, nil
}

func hexBytes(command, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	b, err := hexutil.Decode(text)
	if err != nil {
		return nil, usagef(command, "%q is not 0x and hex digits", printable(text))
	}
	return b, nil
}
