package intent

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/policy"
	"github.com/aitbc/aitbc/wallet/typeddata"
)

// FromTypedData decodes typed data (EIP-712). It must name this chain, or none.
func FromTypedData(d *typeddata.Data, from common.Address, chainID uint64) (*Intent, error) {
	i := &Intent{Kind: TypedData, From: from, Digest: d.Digest, Fields: d.Values}
	if named, there := d.Domain["chainId"]; there {
		if n, err := number(named); err != nil || n != chainID {
			return nil, fmt.Errorf("%w: the typed data is for chain %v, this one is %d", ErrRefused, named, chainID)
		}
		i.ChainID = chainID
	}
	contract := common.Address{}
	if s, ok := d.Domain["verifyingContract"].(string); ok {
		contract = common.HexToAddress(s)
		i.To, i.Parties = &contract, []common.Address{contract}
	}
	if contract == contracts.MarketAddress && own(i, d, receipt.Domain{ChainID: chainID, Market: contract}) {
		return i, nil
	}
	name, _ := d.Domain["name"].(string)
	i.Unknown = true
	i.Summary = fmt.Sprintf("Sign %s of %q", typeddata.Printable(d.PrimaryType), typeddata.Printable(name))
	if d.PrimaryType == "Permit" || d.PrimaryType == "PermitSingle" || d.PrimaryType == "PermitTransferFrom" || d.PrimaryType == "PermitBatch" {
		i.Warning = "This lets somebody take tokens of the account, without a transaction of yours."
	}
	return i, nil
}

// own words the protocol's own types. It takes only what hashes to the very
// digest that would be signed.
func own(i *Intent, d *typeddata.Data, dom receipt.Domain) bool {
	m := reader{fields: d.Message}
	var t receipt.Typed
	switch d.PrimaryType {
	case "Order":
		o := receipt.Order{
			Session: m.number("session"), Number: m.number("number"), Model: m.hash("model"), Class: m.hash("class"),
			Input: m.hash("input"), Miners: m.hash("miners"), MaxPrice: m.amount("maxPrice"), Deadline: m.number("deadline"),
		}
		t, i.Amount, i.Worth = o, o.MaxPrice, o.MaxPrice
		i.Summary = fmt.Sprintf("Order job %d of session %d for at most %s, until %s", o.Number, o.Session, o.MaxPrice.Coins(), clock(o.Deadline))
	case "Voucher":
		v := receipt.Voucher{Session: m.number("session"), Through: m.number("through"), Cumulative: m.amount("cumulative")}
		t, i.Amount = v, v.Cumulative
		i.voucher = &policy.Voucher{Chain: i.ChainID, Session: v.Session, Cumulative: v.Cumulative}
		i.Summary = fmt.Sprintf("Pay %s in all for the jobs of session %d up to number %d", v.Cumulative.Coins(), v.Session, v.Through)
	case "Close":
		c := receipt.Close{Session: m.number("session"), Cumulative: m.amount("cumulative")}
		t, i.Amount = c, c.Cumulative
		i.voucher = &policy.Voucher{Chain: i.ChainID, Session: c.Session, Cumulative: c.Cumulative}
		i.Summary = fmt.Sprintf("Close session %d with %s paid in all", c.Session, c.Cumulative.Coins())
	case "KeyRequest":
		k := receipt.KeyRequest{Client: m.address("client"), Session: m.number("session"), IssuedAt: m.number("issuedAt")}
		t = k
		i.Summary = fmt.Sprintf("Ask for an API key that spends session %d", k.Session)
	case "MinerLogin":
		l := receipt.MinerLogin{Miner: m.address("miner"), Coordinator: m.address("coordinator"), Offers: m.hash("offers"), IssuedAt: m.number("issuedAt")}
		t = l
		i.Summary = fmt.Sprintf("Sign in to the coordinator %s as the miner %s", l.Coordinator, l.Miner)
	default:
		return false
	}
	if m.bad || receipt.Digest(dom, t) != d.Digest {
		i.Summary, i.Amount, i.Worth, i.voucher = "", market.Amount{}, market.Amount{}, nil
		return false
	}
	return true
}

// reader takes values out of a message that was checked against its types.
type reader struct {
	fields map[string]any
	bad    bool
}

func (r *reader) number(name string) uint64 {
	n, err := number(r.fields[name])
	r.bad = r.bad || err != nil
	return n
}

func (r *reader) text(name string) string {
	s, ok := r.fields[name].(string)
	r.bad = r.bad || !ok
	return s
}

func (r *reader) hash(name string) common.Hash       { return common.HexToHash(r.text(name)) }
func (r *reader) address(name string) common.Address { return common.HexToAddress(r.text(name)) }

func (r *reader) amount(name string) market.Amount {
	var s string
	switch v := r.fields[name].(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	}
	a, err := market.ParseAmount(s)
	r.bad = r.bad || err != nil
	return a
}

func number(v any) (uint64, error) {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	}
	if len(s) > 2 && s[:2] == "0x" {
		return strconv.ParseUint(s[2:], 16, 64)
	}
	return strconv.ParseUint(s, 10, 64)
}

func clock(seconds uint64) string {
	if seconds > 1<<33 {
		return "second " + strconv.FormatUint(seconds, 10)
	}
	return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02 15:04:05Z")
}
