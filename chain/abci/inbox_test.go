package abci

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/intake"
)

func TestTheInboxIsBoundedAndGivesAllAtOnce(t *testing.T) {
	b := newInbox()
	large := bytes.Repeat([]byte{1}, 128<<10)
	count := 0
	for b.put(large) {
		count++
	}
	require.Equal(t, inboxBytes/len(large), count)
	require.Len(t, b.take(t.Context()), count)
	require.True(t, b.put(large), "there is room again")
	require.Len(t, b.take(t.Context()), 1)
	count = 0
	for b.put([]byte{1}) {
		count++
	}
	require.Equal(t, inboxCount, count)
	require.Len(t, b.take(t.Context()), count)
	ended, end := context.WithCancel(t.Context())
	end()
	require.Nil(t, b.take(ended))
}

func TestBlocksAreFilledSoThatTheyComeInTime(t *testing.T) {
	const most = 200 * time.Millisecond
	at := time.Unix(1_800_000_000, 0)
	p := newPace(most, intake.Target)
	follow := func(times int, waiting bool, cost float64) time.Duration { // a cycle is the gap and cost times what making it took
		var cycle time.Duration
		for range times {
			cycle = 150*time.Millisecond + time.Duration(cost*float64(p.budget))
			at = at.Add(cycle)
			p.committed(at, waiting)
			require.LessOrEqual(t, p.budget, most)
			require.GreaterOrEqual(t, p.budget, leastBuild)
		}
		return cycle
	}
	follow(5, false, 4)
	require.Equal(t, most, p.budget, "nothing waits: there is no hurry")
	require.InDelta(t, p.goal.Seconds(), follow(30, true, 4).Seconds(), 0.02, "four nodes share the processors")
	require.InDelta(t, p.goal.Seconds(), follow(30, true, 2).Seconds(), 0.02, "two do")
	follow(30, true, 0.5)
	require.Equal(t, most, p.budget, "others are quick: all the time there is")
	for i := range 40 { // every fourth block comes two seconds late, as its first proposer is dead
		if i%4 == 3 {
			at = at.Add(2 * time.Second)
		}
		at = at.Add(150 * time.Millisecond)
		p.proposed(at)
		at = at.Add(100 * time.Millisecond)
		p.committed(at, true)
	}
	require.Equal(t, most, p.budget, "that is no reason to make them smaller")
	follow(30, true, 40)
	require.Equal(t, leastBuild, p.budget)
	follow(30, false, 40)
	require.Equal(t, most, p.budget)

	p = newPace(most, 10*time.Second)
	follow(30, true, 4)
	require.Equal(t, most, p.budget, "who may wait for long gets full blocks")
}
