package intake_test

import (
	"encoding/binary"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/intake"
)

var (
	begin = time.Unix(1_800_000_000, 0)
	all   = func(common.Hash) bool { return true }
)

// transfer is the work of a transfer.
const transfer = 21_000 + intake.Overhead

// tx is the i-th transfer, each of another account.
func tx(i int) intake.Tx {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	return intake.Tx{Hash: common.BytesToHash(b[:]), From: common.BytesToAddress(b[:]), Gas: 21_000, Bytes: 120, Tip: big.NewInt(10)}
}

// fill admits transfers until one is refused, and returns them and the refusal.
func fill(g *intake.Gate, from int, now time.Time) ([]common.Hash, error) {
	var hashes []common.Hash
	for i := from; ; i++ {
		t := tx(i)
		if err := g.Admit(t, intake.Client, now); err != nil {
			return hashes, err
		}
		hashes = append(hashes, t.Hash)
	}
}

// done says that a block held transfers.
func done(hashes []common.Hash) []intake.Done {
	var out []intake.Done
	for _, h := range hashes {
		out = append(out, intake.Done{Hash: h, To: &common.Address{1}, Gas: 21_000, Used: 21_000})
	}
	return out
}

func TestAFullPoolSaysWhatItWouldTake(t *testing.T) {
	g := intake.New(intake.Target)
	taken, err := fill(g, 0, begin)
	require.InDelta(t, intake.Room/transfer, len(taken), 1)
	require.ErrorIs(t, err, intake.ErrFull)
	var full *intake.FullError
	require.ErrorAs(t, err, &full)
	require.Equal(t, int64(12), full.Tip.Int64(), "a tenth and one more than half of the others")
	require.ErrorContains(t, err, "a priority fee of 12 or more")
	require.Equal(t, -32005, full.ErrorCode())
	require.ErrorIs(t, g.Peek(tx(999_999), intake.Client), intake.ErrFull, "a look says the same")
	require.NoError(t, g.Peek(tx(0), intake.Client))

	paying := tx(1_000_000)
	paying.Tip = full.Tip
	require.NoError(t, g.Admit(paying, intake.Client, begin), "what it named is taken")
	require.NoError(t, g.Admit(tx(0), intake.Client, begin), "what waits already is no news")
	require.NoError(t, g.Admit(tx(2_000_000), intake.Peer, begin), "and so is what a peer took")

	for i := range taken { // but there is an end to that as well
		more := tx(3_000_000 + i)
		more.Tip = big.NewInt(1000)
		if err = g.Admit(more, intake.Peer, begin); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, intake.ErrFull)
	require.LessOrEqual(t, g.State().Work, uint64(2*intake.Room+transfer))

	g.Committed(done(taken[:10]), all, begin, 0)
	g.Forget(paying.Hash)
	require.Less(t, g.State().Work, uint64(2*intake.Room))
}

func TestOneAccountCannotFillIt(t *testing.T) {
	g := intake.New(intake.Target)
	small, large := tx(1), tx(2)
	count := 0
	for i := 0; ; i++ {
		small.Hash = tx(1000 + i).Hash
		if err := g.Admit(small, intake.Client, begin); err != nil {
			require.ErrorIs(t, err, intake.ErrSender)
			require.ErrorContains(t, err, "256 wait")
			break
		}
		count++
	}
	require.Equal(t, intake.SenderSlots, count)
	large.Gas = 16_000_000
	claimed := uint64(0)
	for i := 0; ; i++ {
		large.Hash = tx(10_000 + i).Hash
		if err := g.Admit(large, intake.Client, begin); err != nil {
			require.ErrorIs(t, err, intake.ErrSender)
			require.NoError(t, g.Admit(large, intake.Peer, begin), "what another node took this one takes, or it could propose none that follow")
			g.Forget(large.Hash)
			break
		}
		claimed += large.Gas
	}
	require.NotZero(t, claimed)
	require.LessOrEqual(t, claimed, uint64(intake.Room/4*3))
	require.NoError(t, g.Admit(tx(3), intake.Client, begin), "another account finds room")
}

func TestItTakesLessWhenTransactionsWaitTooLong(t *testing.T) {
	g := intake.New(intake.Target)
	now, next := begin, 0
	for range 20 { // every transaction is in the eighth block after it came
		taken, err := fill(g, next, now)
		require.Error(t, err)
		next += len(taken)
		for range 7 {
			now = now.Add(250 * time.Millisecond)
			g.Committed(nil, all, now, 0)
		}
		now = now.Add(250 * time.Millisecond)
		g.Committed(done(taken), all, now, 0)
	}
	require.Less(t, g.State().Room, uint64(intake.Room/2))
	require.GreaterOrEqual(t, g.State().Room, uint64(intake.MinRoom))
	require.NoError(t, g.Admit(intake.Tx{Hash: common.Hash{9}, Gas: 16_000_000, Tip: new(big.Int)}, intake.Client, now), "the largest transaction still finds room")
	g.Forget(common.Hash{9})

	for range 40 { // and then a tenth of a second
		taken, err := fill(g, next, now)
		require.Error(t, err)
		next += len(taken)
		now = now.Add(100 * time.Millisecond)
		g.Committed(done(taken), all, now, 0)
	}
	require.Greater(t, g.State().Room, uint64(intake.Room), "quick blocks, and refusals all the same: there is more room")
	require.LessOrEqual(t, g.State().Room, uint64(intake.MaxRoom))
	require.Zero(t, g.State().Waiting)

	for range 2000 { // nobody is refused any more
		g.Committed(nil, all, now, 0)
	}
	require.InDelta(t, intake.Room, g.State().Room, 64)
}

func TestItDoesNotTakeLessWhereBlocksAreSlow(t *testing.T) {
	g := intake.New(intake.Target)
	now, next := begin, 0
	for range 20 { // every transaction is in the block after the next, but a block takes a second
		taken, err := fill(g, next, now)
		require.Error(t, err)
		next += len(taken)
		now = now.Add(time.Second)
		g.Committed(done(taken[:len(taken)/2]), all, now, 0)
		now = now.Add(time.Second)
		g.Committed(done(taken[len(taken)/2:len(taken)-1]), all, now, 0)
	}
	require.GreaterOrEqual(t, g.State().Room, uint64(intake.Room/2))
}

func TestAProposerThatIsDeadIsNoReasonToTakeLess(t *testing.T) {
	g := intake.New(intake.Target)
	now, next := begin, 0
	for i := range 40 { // every fourth block comes two seconds late, as its first proposer is dead
		taken, _ := fill(g, next, now)
		next += len(taken) + 1
		var paused time.Duration
		if i%4 == 3 {
			paused = 2 * time.Second
		}
		now = now.Add(200*time.Millisecond + paused)
		g.Committed(done(taken), all, now, paused)
	}
	require.GreaterOrEqual(t, g.State().Room, uint64(intake.Room))
}

func TestItKeepsTheRoomThatBlocksHaveShownToEmpty(t *testing.T) {
	for _, wait := range []time.Duration{intake.Target, time.Second} {
		g := intake.New(wait)
		now, next := begin, 0
		var queue []common.Hash
		for range 60 { // blocks of 500 transactions, four a second, in the order in which they came
			taken, err := fill(g, next, now)
			require.Error(t, err)
			next += len(taken)
			queue = append(queue, taken...)
			now = now.Add(250 * time.Millisecond)
			n := min(500, len(queue))
			g.Committed(done(queue[:n]), all, now, 0)
			queue = queue[n:]
		}
		room, proven := g.State().Room, wait.Seconds()*4*500*transfer
		require.InEpsilon(t, proven, room, 0.05, "what may wait is what is done in that time, a little less, neither more nor less")
	}
}

func TestWhatThePoolDropsIsForgotten(t *testing.T) {
	g := intake.New(intake.Target)
	taken, err := fill(g, 0, begin)
	require.Error(t, err)
	has := func(h common.Hash) bool { return h == taken[0] }
	g.Committed(nil, has, begin, 0)
	require.Equal(t, len(taken), g.State().Waiting, "they may just be on their way to it")
	now := begin.Add(2 * time.Second)
	g.Committed(nil, has, now, 0)
	require.Equal(t, 1, g.State().Waiting)
	require.Equal(t, uint64(transfer), g.State().Work)
	_, err = fill(g, 100_000, now)
	require.ErrorIs(t, err, intake.ErrFull)
	g.Committed(nil, all, now.Add(time.Minute), 0)
	require.Zero(t, g.State().Waiting, "what no block takes keeps nobody out for ever")
}

func TestLargeTransactionsTakeMoreOfThePool(t *testing.T) {
	g := intake.New(intake.Target)
	for i := 0; ; i++ {
		big := tx(i)
		big.Gas, big.Bytes = 1, 128<<10
		if err := g.Admit(big, intake.Client, begin); err != nil {
			require.ErrorIs(t, err, intake.ErrFull)
			require.InDelta(t, intake.MaxSlots/5, i, 1)
			return
		}
	}
}

func TestACallCountsAsWhatItsLikeUsed(t *testing.T) {
	g := intake.New(intake.Target)
	contract := common.Address{0xc0}
	const claim, use = 8_000_000, 2_400_000
	call := func(i int) intake.Tx {
		c := tx(i)
		c.To, c.Gas = &contract, claim
		return c
	}
	work := func(i int) uint64 {
		before := g.State().Work
		require.NoError(t, g.Admit(call(i), intake.Client, begin))
		defer g.Forget(call(i).Hash)
		return g.State().Work - before
	}
	end := func(used uint64) {
		g.Committed([]intake.Done{{Hash: common.Hash{1}, To: &contract, Gas: claim, Used: used}}, all, begin, 0)
	}
	require.Equal(t, uint64(claim+intake.Overhead), work(1), "nothing is known: as claimed")
	end(use)
	require.Equal(t, uint64(use+intake.Overhead), work(2))
	other := call(3)
	other.To = nil
	before := g.State().Work
	require.NoError(t, g.Admit(other, intake.Client, begin))
	require.Equal(t, uint64(claim+intake.Overhead), g.State().Work-before, "a creation says nothing of others")
	g.Forget(other.Hash)
	end(claim / 2)
	require.Equal(t, uint64(claim/2+intake.Overhead), work(4), "more is believed at once")
	end(use)
	require.Greater(t, work(5), uint64(claim/2-400_000), "less only after a while")
	for range 100 {
		end(1000)
	}
	require.Equal(t, uint64(claim/4+intake.Overhead), work(6), "and never less than a quarter: the next call may use all")
	end(claim)
	require.Equal(t, uint64(claim+intake.Overhead), work(7))
}
