package audit

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/aitbc/aitbc/contracts"
)

// jobsPage is how many jobs one question is about: each takes a few slots of reading.
const jobsPage = 1000

// Jobs are the Market's direct jobs: what the contract says that they hold, and the same added up job by job.
type Jobs struct {
	Count  string `json:"count"`
	Locked string `json:"locked"`
	Sum    string `json:"sum"`
}

// errNoJobs is returned for a Market that was made before there were direct jobs.
var errNoJobs = errors.New("no direct jobs")

// addJobs adds up the fees and bonds of all direct jobs, which are part of what the Market owes.
func (r *Report) addJobs(market contract, owed *big.Int) {
	jobs, err := readJobs(market)
	if errors.Is(err, errNoJobs) {
		return
	}
	r.Jobs = jobs
	if err == nil {
		err = jobs.check(owed)
	}
	if err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
}

func (j *Jobs) check(owed *big.Int) error {
	if j.Sum != j.Locked {
		return fmt.Errorf("direct jobs hold %s, the Market says %s", j.Sum, j.Locked)
	}
	if locked, ok := new(big.Int).SetString(j.Locked, 10); !ok || locked.Cmp(owed) > 0 {
		return fmt.Errorf("direct jobs hold %s, the Market owes %v in all", j.Locked, owed)
	}
	return nil
}

func readJobs(market contract) (*Jobs, error) {
	i, err := contracts.MarketABI()
	if err != nil {
		return nil, err
	}
	ask := func(method string, args ...any) (*big.Int, error) {
		data, err := i.Pack(method, args...)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", method, err)
		}
		n, err := market.number(data)
		if err != nil {
			return nil, fmt.Errorf("the Market does not answer %s: %w", method, err)
		}
		return n, nil
	}
	question, err := i.Pack("jobCount")
	if err != nil {
		return nil, fmt.Errorf("encode jobCount: %w", err)
	}
	// A contract that lacks the function refuses without a word.
	if refusal, err := market.call(question); err != nil && len(refusal) == 0 {
		return nil, errNoJobs
	}
	count, err := ask("jobCount")
	if err != nil {
		return nil, err
	}
	locked, err := ask("jobsLocked")
	if err != nil {
		return nil, err
	}
	sum := new(big.Int)
	for from := uint64(1); from <= count.Uint64(); from += jobsPage {
		part, err := ask("jobsLockedIn", from, min(from+jobsPage-1, count.Uint64()))
		if err != nil {
			return nil, err
		}
		sum.Add(sum, part)
	}
	return &Jobs{Count: count.String(), Locked: locked.String(), Sum: sum.String()}, nil
}
