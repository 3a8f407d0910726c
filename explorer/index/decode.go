package index

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"sync"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/contracts"
)

// Contract is one of the network's contracts.
type Contract struct {
	Name string
	ABI  abi.ABI
}

// Contracts are the network's contracts by the address of their proxy.
var Contracts = sync.OnceValue(func() map[common.Address]Contract {
	load := map[string]func() (abi.ABI, error){
		contracts.NameRegistry: contracts.RegistryABI, contracts.NameMarket: contracts.MarketABI, contracts.NameTreasury: contracts.TreasuryABI,
		contracts.NameStaking: contracts.StakingABI, contracts.NameRewards: contracts.RewardsABI, contracts.NameTimelock: contracts.TimelockABI,
		contracts.NameGovernor: contracts.GovernorABI, contracts.NameUpgrades: contracts.UpgradesABI, contracts.NameFaucet: contracts.FaucetABI,
	}
	out := map[common.Address]Contract{}
	for _, p := range contracts.Predeploys {
		a, err := load[p.Name]()
		if err != nil {
			panic("explorer: " + err.Error()) // the interfaces are embedded in the program
		}
		out[p.Proxy] = Contract{p.Name, a}
	}
	return out
})

// Log is a log as a node tells it.
type Log struct {
	Address common.Address `json:"address"`
	Topics  []common.Hash  `json:"topics"`
	Data    hexutil.Bytes  `json:"data"`
}

// Decode returns the event that a log holds, without its place, and whether it is
// indexed: what the network's contracts say, and transfers of tokens.
func Decode(l Log) (Event, bool) {
	c, ours := Contracts()[l.Address]
	if !ours {
		e, ok := decodeToken(l)
		if ok {
			e.Subjects = append(e.Subjects, Subject{KindName, e.Contract + "." + e.Name})
		}
		return e, ok
	}
	e, err := DecodeAs(c, l)
	if err != nil { // of a later program than this: kept, so that it is seen
		e = Event{Contract: c.Name, Args: json.RawMessage(`{}`)}
		if len(l.Topics) > 0 {
			e.Args = json.RawMessage(fmt.Sprintf(`{"topic":%q}`, l.Topics[0].Hex()))
		}
	}
	e.Subjects = append(e.Subjects, Subject{KindName, e.Contract + "." + e.Name})
	return e, true
}

// DecodeAs returns the event that a log holds by the interface of a contract, which
// may be a stranger's.
func DecodeAs(c Contract, l Log) (Event, error) {
	if len(l.Topics) == 0 {
		return Event{}, fmt.Errorf("a log without topics")
	}
	def, err := c.ABI.EventByID(l.Topics[0])
	if err != nil {
		return Event{}, err
	}
	values, err := Unpack(def.Inputs.NonIndexed(), l.Data)
	if err != nil {
		return Event{}, err
	}
	var indexed abi.Arguments
	for _, in := range def.Inputs {
		if in.Indexed {
			indexed = append(indexed, in)
		}
	}
	topics := map[string]any{}
	if err := abi.ParseTopicsIntoMap(topics, indexed, l.Topics[1:]); err != nil {
		return Event{}, err
	}
	e := Event{Contract: c.Name, Name: def.RawName}
	all := make([]any, 0, len(def.Inputs))
	for _, in := range def.Inputs {
		var v any
		if in.Indexed {
			v = topics[in.Name]
		} else {
			v, values = values[0], values[1:]
		}
		all = append(all, v)
		e.subjects(in.Name, v)
	}
	e.Args = Values(def.Inputs, all)
	return e, nil
}

// subjects adds what a value names.
func (e *Event) subjects(name string, v any) {
	add := func(k Kind, key []byte) {
		if s := (Subject{k, string(key)}); !slices.Contains(e.Subjects, s) {
			e.Subjects = append(e.Subjects, s)
		}
	}
	switch v := v.(type) {
	case common.Address:
		if v != (common.Address{}) {
			add(KindAddress, v[:])
		}
	case []common.Address:
		for _, a := range v {
			e.subjects(name, a)
		}
	case uint64:
		switch name {
		case "session":
			add(KindSession, binary.BigEndian.AppendUint64(nil, v))
		case "job":
			add(KindJob, binary.BigEndian.AppendUint64(nil, v))
		}
	case *big.Int:
		if name == "proposalId" {
			add(KindProposal, v.FillBytes(make([]byte, 32)))
		}
	case [32]byte:
		switch name {
		case "receipt":
			add(KindReceipt, v[:])
		case "root":
			add(KindRoot, v[:])
		}
	}
}

// Values writes the values of an interface as one JSON object in its order. What is
// said in bytes of any length, such as the output of a job, is not repeated.
func Values(of abi.Arguments, values []any) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, in := range of {
		if i > 0 {
			b.WriteByte(',')
		}
		name := in.Name
		if name == "" {
			name = strconv.Itoa(i)
		}
		b.WriteString(strconv.Quote(name)) // an identifier of Solidity's
		b.WriteByte(':')
		write(&b, in.Type, reflect.ValueOf(values[i]))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func write(b *bytes.Buffer, t abi.Type, v reflect.Value) {
	switch t.T {
	case abi.TupleTy:
		b.WriteByte('{')
		for i, e := range t.TupleElems {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(t.TupleRawNames[i]))
			b.WriteByte(':')
			write(b, *e, v.Field(i))
		}
		b.WriteByte('}')
	case abi.SliceTy, abi.ArrayTy:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, *t.Elem, v.Index(i))
		}
		b.WriteByte(']')
	case abi.BytesTy:
		data := v.Bytes()
		fmt.Fprintf(b, `{"bytes":%d,"keccak":%q}`, len(data), crypto.Keccak256Hash(data).Hex())
	case abi.FixedBytesTy:
		data := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(data), v)
		b.WriteString(strconv.Quote(hexutil.Encode(data)))
	default:
		writePlain(b, v.Interface())
	}
}

func writePlain(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		raw, err := json.Marshal(v)
		if err != nil {
			panic("explorer: " + err.Error()) // a string can always be written
		}
		b.Write(raw)
	case common.Address:
		b.WriteString(strconv.Quote(hexutil.Encode(v[:]))) // as JSON has addresses everywhere
	case common.Hash: // of an indexed value of any length
		b.WriteString(strconv.Quote(v.Hex()))
	default: // whole numbers of any size
		b.WriteString(strconv.Quote(fmt.Sprint(v)))
	}
}

var text = func() abi.Type {
	t, err := abi.NewType("string", "", nil)
	if err != nil {
		panic("explorer: " + err.Error())
	}
	return t
}()

// refusedCall are the values of the event that a refused call of the node's becomes.
var refusedCall = abi.Arguments{{Name: "call", Type: text}, {Name: "error", Type: text}}
