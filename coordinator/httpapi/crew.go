package httpapi

import (
	"sync"
	"time"
)

// crewIdle is how long a goroutine of a crew waits for its next task.
const crewIdle = time.Second

// crew runs tasks on goroutines that stay for a moment: answering a miner goes deep,
// and a new goroutine each time would have to grow its stack again.
type crew struct {
	tasks   chan func()
	stop    chan struct{}
	members sync.WaitGroup
}

func newCrew() *crew { return &crew{tasks: make(chan func()), stop: make(chan struct{})} }

// run runs a task on a goroutine that is idle, or on a new one.
func (c *crew) run(task func()) {
	select {
	case c.tasks <- task:
	default:
		c.members.Go(func() { c.work(task) })
	}
}

func (c *crew) work(task func()) {
	idle := time.NewTimer(crewIdle)
	defer idle.Stop()
	for {
		task()
		idle.Reset(crewIdle)
		select {
		case task = <-c.tasks:
		case <-idle.C:
			return
		case <-c.stop:
			return
		}
	}
}

// end returns when all tasks are done. There may be no run after it.
func (c *crew) end() {
	close(c.stop)
	c.members.Wait()
}
