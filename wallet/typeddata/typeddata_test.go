package typeddata_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
	"github.com/aitbc/aitbc/wallet/typeddata"
)

// mail is the example of EIP-712 itself.
const mail = `{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
"Person":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}],
"Mail":[{"name":"from","type":"Person"},{"name":"to","type":"Person"},{"name":"contents","type":"string"}]},
"primaryType":"Mail",
"domain":{"name":"Ether Mail","version":"1","chainId":1,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
"message":{"from":{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},"to":{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},"contents":"Hello, Bob!"}}`

func TestTheExampleOfEIP712(t *testing.T) {
	t.Parallel()
	d, err := typeddata.Parse([]byte(mail))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.EncodeType("Mail"); got != "Mail(Person from,Person to,string contents)Person(string name,address wallet)" {
		t.Error(got)
	}
	if d.DomainHash != common.HexToHash("0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f") ||
		d.MessageHash != common.HexToHash("0xc52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e") ||
		d.Digest != common.HexToHash("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2") {
		t.Errorf("%s %s %s", d.DomainHash, d.MessageHash, d.Digest)
	}
	text := fmt.Sprint(d.Values)
	for _, want := range []string{"domain.chainId 1", "message.to.wallet 0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB", "message.contents Hello, Bob!"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown in %s", want, text)
		}
	}
}

// MetaMask's example of its fourth version: arrays of structs and of addresses.
func TestArraysAsMetaMaskHasThem(t *testing.T) {
	t.Parallel()
	raw := `{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
"Person":[{"name":"name","type":"string"},{"name":"wallets","type":"address[]"}],
"Mail":[{"name":"from","type":"Person"},{"name":"to","type":"Person[]"},{"name":"contents","type":"string"}],
"Group":[{"name":"name","type":"string"},{"name":"members","type":"Person[]"}]},
"domain":{"name":"Ether Mail","version":"1","chainId":1,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},"primaryType":"Mail",
"message":{"from":{"name":"Cow","wallets":["0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826","0xDeaDbeefdEAdbeefdEadbEEFdeadbeEFdEaDbeeF"]},
"to":[{"name":"Bob","wallets":["0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB","0xB0BdaBea57B0BDABeA57b0bdABEA57b0BDabEa57","0xB0B0b0b0b0b0B000000000000000000000000000"]}],"contents":"Hello, Bob!"}}`
	d, err := typeddata.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if d.MessageHash != common.HexToHash("0xeb4221181ff3f1a83ea7313993ca9218496e424604ba9492bb4052c03d5c3df8") ||
		d.Digest != common.HexToHash("0xa85c2e2b118698e88db68a8105b794a8cc7cec074e89ef991cb4f5f533819cc2") {
		t.Errorf("%s %s", d.MessageHash, d.Digest)
	}
}

// What the protocol signs is the same here, numbers as numbers or as strings.
func TestOurOwnTypes(t *testing.T) {
	t.Parallel()
	dom := receipt.Domain{ChainID: 1 << 45, Market: common.HexToAddress("0x000000000000000000000000000000000000A102")}
	v := receipt.Voucher{Session: 1<<63 + 5, Through: 9, Cumulative: market.Coins(1_000_000)}
	raw := `{"types":{"Voucher":[{"name":"session","type":"uint64"},{"name":"through","type":"uint64"},{"name":"cumulative","type":"uint128"}]},"primaryType":"Voucher",
"domain":{"name":"AITBC","version":"1","chainId":"0x200000000000","verifyingContract":"0x000000000000000000000000000000000000a102"},
"message":{"session":9223372036854775813,"through":"0x9","cumulative":"1000000000000000000000000"}}`
	d, err := typeddata.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if d.Digest != receipt.Digest(dom, v) {
		t.Errorf("%s, want %s", d.Digest, receipt.Digest(dom, v))
	}
}

func TestWhatIsNotConsistentIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][2]string{
		"no primary type":       {`"primaryType":"Mail"`, `"primaryType":"Male"`},
		"the domain as message": {`"primaryType":"Mail"`, `"primaryType":"EIP712Domain"`},
		"undeclared type":       {`"type":"Person"`, `"type":"Persona"`},
		"undeclared field":      {`"contents":"Hello, Bob!"`, `"contents":"Hello, Bob!","extra":1`},
		"missing field":         {`,"contents":"Hello, Bob!"`, ``},
		"another field":         {`"contents":"Hello, Bob!"`, `"content":"Hello, Bob!"`},
		"null":                  {`"Hello, Bob!"`, `null`},
		"number for a string":   {`"Hello, Bob!"`, `7`},
		"array for a string":    {`"Hello, Bob!"`, `["a"]`},
		"string for a struct":   {`{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"}`, `"Bob"`},
		"short address":         {`0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB`, `0xbBbB`},
		"fraction":              {`"chainId":1`, `"chainId":1.0`},
		"exponent":              {`"chainId":1`, `"chainId":1e3`},
		"negative":              {`"chainId":1`, `"chainId":-1`},
		"field twice":           {`{"name":"contents","type":"string"}`, `{"name":"contents","type":"string"},{"name":"contents","type":"string"}`},
		"atomic redeclared":     {`"Person":[`, `"uint8":[],"Person":[`},
		"strange domain":        {`{"name":"version","type":"string"},{"name":"chainId","type":"uint256"}`, `{"name":"version","type":"uint8"},{"name":"chainId","type":"uint256"}`},
		"unknown key":           {`"primaryType"`, `"x":1,"primaryType"`},
		"another value":         {`"Hello, Bob!"}}`, `"Hello, Bob!"}} {}`},
		"odd integer":           {`"uint256"`, `"uint7"`},
	} {
		changed := strings.Replace(mail, c[0], c[1], 1)
		if changed == mail {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := typeddata.Parse([]byte(changed)); !errors.Is(err, typeddata.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	raw := fmt.Sprintf(`{"types":{"A":[{"name":"a","type":"uint8%s"}]},"primaryType":"A","domain":{},"message":{"a":%s}}`, strings.Repeat("[]", 40), deep)
	if _, err := typeddata.Parse([]byte(raw)); !errors.Is(err, typeddata.ErrFormat) {
		t.Errorf("deep: %v", err)
	}
}

func TestAtomsOfEveryKind(t *testing.T) {
	t.Parallel()
	parse := func(typ, value string) (string, error) {
		d, err := typeddata.Parse(fmt.Appendf(nil, `{"types":{"A":[{"name":"a","type":%q}]},"primaryType":"A","domain":{},"message":{"a":%s}}`, typ, value))
		if err != nil {
			return "", err
		}
		return d.Values[len(d.Values)-1].Value, nil
	}
	for _, c := range [][3]string{
		{"int8", "-128", "-128"},
		{"int8", `"127"`, "127"},
		{"uint8", `"0xff"`, "255"},
		{"bool", "true", "true"},
		{"bytes", `"0x0102"`, "0x0102"},
		{"bytes4", `"0x01020304"`, "0x01020304"},
		{"uint8[2]", "[1,2]", "2"},
		{"uint8[]", "[]", "[]"},
		{"string", `"a\u202eb\u0007"`, "a·b·"},
	} {
		if got, err := parse(c[0], c[1]); err != nil || got != c[2] {
			t.Errorf("%s %s: %q, %v", c[0], c[1], got, err)
		}
	}
	for _, c := range [][2]string{
		{"int8", "-129"},
		{"int8", "128"},
		{"uint8", "256"},
		{"uint8", `"0x100"`},
		{"uint8", `""`},
		{"uint8", `"01"`},
		{"bool", `"true"`},
		{"bytes", `"0x1"`},
		{"bytes", `"01"`},
		{"bytes4", `"0x010203"`},
		{"bytes33", `"0x"`},
		{"uint8[2]", "[1]"},
		{"uint8[0]", "[]"},
		{"uint8[]", "{}"},
		{"function", `"0x"`},
		{"uint264", "1"},
		{"", "1"},
		{"[]", "[]"},
	} {
		if got, err := parse(c[0], c[1]); !errors.Is(err, typeddata.ErrFormat) {
			t.Errorf("%s %s: %q, %v", c[0], c[1], got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(mail))
	f.Add([]byte(`{"types":{"A":[{"name":"a","type":"A[]"}]},"primaryType":"A","domain":{},"message":{"a":[{"a":[]}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := typeddata.Parse(raw)
		if err != nil {
			return
		}
		// What was read says the same when it is written by another.
		again, err := json.Marshal(json.RawMessage(raw))
		if err != nil {
			t.Fatal(err)
		}
		if e, err := typeddata.Parse(again); err != nil && len(again) <= typeddata.MaxSize || err == nil && e.Digest != d.Digest {
			t.Fatalf("%v, %v", e, err)
		}
	})
}
