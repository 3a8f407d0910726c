package llama

// PID is the process of the program that runs, 0 for none.
func (m *Model) PID() int {
	m.mu.Lock()
	p := m.running
	m.mu.Unlock()
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}
