package evm

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/rlp"
)

// Supply is what all blocks up to one have issued and burned since genesis.
type Supply struct {
	Issued *big.Int
	Burned *big.Int
}

func (s Supply) add(issued, burned *big.Int) Supply {
	return Supply{Issued: new(big.Int).Add(s.Issued, issued), Burned: new(big.Int).Add(s.Burned, burned)}
}

func supplyKey(block common.Hash) []byte { return append([]byte("aitbc-supply-"), block[:]...) }

// Supply reads the figures of a block. Genesis has issued and burned nothing.
func (c *Chain) Supply(block common.Hash) (Supply, error) {
	if block == c.bc.Genesis().Hash() {
		return Supply{Issued: new(big.Int), Burned: new(big.Int)}, nil
	}
	raw, err := c.db.Get(supplyKey(block))
	if err != nil {
		return Supply{}, fmt.Errorf("supply after block %v: %w", block, err)
	}
	var s Supply
	if err := rlp.DecodeBytes(raw, &s); err != nil {
		return Supply{}, fmt.Errorf("supply after block %v: %w", block, err)
	}
	return s, nil
}

func putSupply(w ethdb.KeyValueWriter, block common.Hash, s Supply) error {
	raw, err := rlp.EncodeToBytes(&s)
	if err != nil {
		return fmt.Errorf("encode supply: %w", err)
	}
	if err := w.Put(supplyKey(block), raw); err != nil {
		return fmt.Errorf("write supply: %w", err)
	}
	return nil
}
