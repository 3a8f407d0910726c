package index

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Names of the events of tokens, which any contract may say.
const (
	ERC20  = "ERC-20"
	ERC721 = "ERC-721"
)

// transferTopic is that of Transfer in ERC-20 and in ERC-721, whose third value is indexed too.
var transferTopic = crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)"))

// decodeToken returns the transfer that a log of somebody's contract tells of. That
// the contract tells the truth, nobody says.
func decodeToken(l Log) (Event, bool) {
	if len(l.Topics) < 3 || l.Topics[0] != transferTopic {
		return Event{}, false
	}
	from, ok1 := topicAddress(l.Topics[1])
	to, ok2 := topicAddress(l.Topics[2])
	e := Event{Contract: ERC20, Name: "Transfer"}
	what, number := "value", l.Data
	switch {
	case len(l.Topics) == 4 && len(l.Data) == 0:
		e.Contract, what, number = ERC721, "id", l.Topics[3][:]
	case len(l.Topics) != 3 || len(l.Data) != 32:
		return Event{}, false
	}
	if !ok1 || !ok2 {
		return Event{}, false
	}
	e.Args = json.RawMessage(fmt.Sprintf(`{"token":"%#x","from":"%#x","to":"%#x",%q:%q}`, l.Address, from, to, what, new(big.Int).SetBytes(number).String()))
	for _, a := range []common.Address{l.Address, from, to} {
		e.subjects("", a)
	}
	if e.Contract == ERC20 {
		e.Token = &l.Address
		for _, a := range []common.Address{from, to} {
			if a != (common.Address{}) {
				e.Holders = append(e.Holders, a)
			}
		}
	}
	return e, true
}

// topicAddress returns the address that a topic holds, if it holds one.
func topicAddress(h common.Hash) (common.Address, bool) {
	a := common.BytesToAddress(h[:])
	return a, h == common.BytesToHash(a[:])
}
