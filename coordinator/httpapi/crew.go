package httpapi

import "time"

// crewIdle is how long a goroutine of a crew waits for its next task.
const crewIdle = time.Second

// crew runs tasks on goroutines that stay for a moment: answering a miner goes deep,
// and a new goroutine each time would have to grow its stack again. When stop is
// closed, those that are idle end.
type crew struct {
	tasks chan func()
	stop  <-chan struct{}
}

func newCrew(stop <-chan struct{}) *crew { return &crew{make(chan func()), stop} }

// run runs a task on a goroutine that is idle, or on a new one.
func (c *crew) run(task func()) {
	select {
	case c.tasks <- task:
	default:
		go c.work(task)
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
