package predeploy

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/market"
)

// Advice returns a sentence that says what a refusal by one of the contracts
// means and what to do about it, or "" if err is none that we know.
func Advice(err error) string {
	e, ok := errors.AsType[*chainclient.RevertError](err)
	if !ok {
		return ""
	}
	if f, ok := advice[e.Name]; ok {
		return f(refusal{e.Values})
	}
	return ""
}

// millionth is that of a coin, in base units.
const millionth = 1e12

// refusal words the values of a contract's error.
type refusal struct{ values map[string]any }

func (r refusal) account(name string) string {
	a, ok := r.values[name].(common.Address)
	if !ok {
		return "the account"
	}
	return a.Hex()
}

func (r refusal) amount(name string) string {
	n, ok := r.values[name].(*big.Int)
	if !ok {
		return "less"
	}
	a, err := market.AmountFromBig(n)
	if err != nil {
		return n.String()
	}
	return a.Coins()
}

// missing is what one amount lacks to be the other, in whole millionths of a coin. It is a base unit more at least:
// the contracts round what is delegated down.
func (r refusal) missing(has, least string) string {
	a, ok := r.values[has].(*big.Int)
	b, ok2 := r.values[least].(*big.Int)
	if !ok || !ok2 {
		return "some"
	}
	n := new(big.Int).Sub(b, a)
	n.Add(n, big.NewInt(millionth))
	n.Sub(n, new(big.Int).Mod(n, big.NewInt(millionth)))
	m, err := market.AmountFromBig(n)
	if err != nil {
		return n.String()
	}
	return m.Coins()
}

func (r refusal) time(name string) string {
	var seconds uint64
	switch n := r.values[name].(type) {
	case uint64:
		seconds = n
	case *big.Int:
		seconds = n.Uint64()
	}
	switch {
	case seconds == 0:
		return ""
	case seconds > 1<<40: // the contracts' end of time
		return "never"
	}
	return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02 15:04:05Z")
}

func always(text string) func(refusal) string { return func(refusal) string { return text } }

// advice is by the name of a contract's error; values are those of the error.
var advice = map[string]func(refusal) string{
	// Staking
	"UnknownValidator": func(r refusal) string {
		return r.account("operator") + " operates no validator: name one of the list of validators"
	},
	"AlreadyValidator": func(r refusal) string {
		return r.account("operator") + " operates a validator already; an account has one, for ever: use another account"
	},
	"KeyUsed":  always("a consensus key can be registered once, for ever: make a new one on the node"),
	"BadProof": always("the proof is not this key's for this account and chain: have the node prove its key for the account that sends this"),
	"BadAmount": always(
		"the amount is zero, too small, or more than there is: look at what the account has, or ask for all of it"),
	"SelfStakeTooLow": func(r refusal) string {
		return fmt.Sprintf("the operator's own stake would be %s and must be at least %s: bring %s more; a validator that there is already, in jail too, is delegated it by its operator",
			r.amount("stake"), r.amount("least"), r.missing("stake", "least"))
	},
	"BadCommission": always("a commission is at most 100 %, changes once in 24 hours, and by no more than the validator promised when it was created"),
	"Closed": func(r refusal) string {
		return r.account("operator") + " was slashed and takes no new stake: choose another validator; what is there can leave"
	},
	"Locked": func(r refusal) string {
		if until := r.time("until"); until != "" {
			return "redelegated stake stays liable for the former validator until " + until + ": ask for less, or wait until then"
		}
		return "redelegated stake stays liable for the former validator for a while: ask for less, or wait"
	},
	"TooMany": always("too many unbondings or redelegations wait at once: withdraw what is due, or wait until one is over"),
	"NotDue": func(r refusal) string {
		if at := r.time("dueAt"); at != "" {
			return "it is due at " + at + " at the earliest"
		}
		return "there is nothing that could be due"
	},
	"CannotUnjail": func(r refusal) string {
		switch until := r.time("until"); until {
		case "":
			return "the validator is not in jail"
		case "never":
			return "the validator was tombstoned: its key is barred for ever"
		default:
			return "the validator can leave jail at " + until
		}
	},
	"SetFull":       always("every place on the list of candidates is taken by a validator with more stake: bring more"),
	"LastAuthority": always("the last authority cannot be removed: admit another one first"),
	"FutureLookup":  always("votes are known for times that are past only: try again in a second"),
	// Rewards and the Faucet
	"NothingToClaim": always("no epoch that is over has anything left for this miner"),
	"TooSoon": func(r refusal) string {
		return "the faucet gives an account coins once in a while: again at " + r.time("next")
	},
	"HourlyCapReached": always("the faucet has given away this hour's coins: try again in the next"),
	"Empty":            always("the faucet has no coins left: ask whoever runs this network"),
	// Upgrades
	"BadPlan": always("a plan has a name of 1 to 64 bytes that no upgrade had before, and a height that is ahead"),
	"NoPlan":  always("no plan is ahead"),
	// the Governor and the Timelock
	"GovernorInsufficientProposerVotes": func(r refusal) string {
		return fmt.Sprintf("proposing takes %s of stake, and this account had %s a second ago: delegate more", r.amount("threshold"), r.amount("votes"))
	},
	"GovernorUnexpectedProposalState": func(r refusal) string {
		state, _ := r.values["current"].(uint8)
		return fmt.Sprintf("the proposal is %s, which does not allow this: look at its times", ProposalState(state))
	},
	"GovernorNonexistentProposal": always("there is no proposal of that number, or its actions and text are others"),
	"GovernorAlreadyCastVote":     always("this account has voted: a vote cannot be changed"),
	"GovernorUnableToCancel":      always("only the proposer can take a proposal back, and only before its vote begins"),
	"AlreadyOverridden": func(r refusal) string {
		return "the account has voted with its stake at " + r.account("operator") + " already: a vote cannot be changed"
	},
	"OwnStake": func(r refusal) string {
		return r.account("operator") + " is the operator itself: its own stake is part of its vote as validator"
	},
	"NoVotes": func(r refusal) string {
		return r.account("account") + " had no stake at " + r.account("operator") + " when the vote began that is not counted yet: a delegator names the validator it delegated to"
	},
	"GovernorInvalidVoteType": always("a vote is for, against or abstain"),
	"TimelockUnexpectedOperationState": always(
		"the Timelock is not ready for this: the delay after queueing is not over, or it was done already"),
	// direct jobs
	"UnknownJob": always("the Market has no job of that number: list those there are"),
	"WrongState": func(r refusal) string {
		state, _ := r.values["state"].(uint8)
		return fmt.Sprintf("the job is %s, which does not allow this: look at it", JobState(state))
	},
	"TooLate": func(r refusal) string {
		return "the time for this was over at " + r.time("dueAt") + ": the chain ends the job"
	},
	"BadTerms": func(r refusal) string {
		term, _ := r.values["term"].(string)
		return "the term " + term + " is out of its bounds: the job parameters of the Market say which those are"
	},
	"MinerInactive":   always("only a registered miner with enough stake, and not in jail, accepts jobs: aitbc-miner registers one"),
	"MinerNotAllowed": always("the client named the miners that may accept this job, and this account is none of them"),
	"BadReceipt": func(r refusal) string {
		field, _ := r.values["field"].(string)
		return "the receipt does not answer the job: look at its " + field
	},
	"WrongOutput":  always("these are not the bytes that the result committed to, or too many"),
	"BadSignature": always("the signature is not by the key that must sign: for a miner, its registered signing key"),
	// all
	"Unauthorized": func(r refusal) string {
		return r.account("caller") + " may not do this: it is for another account to do, or for governance by a proposal"
	},
	"TransferFailed": func(r refusal) string {
		return r.account("to") + " refused the coins: the contract there must accept them"
	},
	"BadParameter": func(r refusal) string {
		if name, ok := r.values["name"].(string); ok {
			return "the value of " + name + " is out of its bounds"
		}
		return "a value is out of its bounds"
	},
}
