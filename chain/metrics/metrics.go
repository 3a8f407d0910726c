// Package metrics counts what one node does and shows it to Prometheus, beside CometBFT's own figures.
package metrics

import (
	"math/big"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are one node's figures, in a registry of their own. Its methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	height, gas, issued, burned prometheus.Gauge
	blocks, txs                 prometheus.Counter
	problems                    prometheus.Gauge
	checks                      prometheus.Counter
	failed                      *prometheus.CounterVec
	refused                     *prometheus.CounterVec
	build, execute              prometheus.Histogram
	blockGas, blockTxs          prometheus.Histogram
}

const namespace = "aitbc_node_"

// New makes the figures of a node of the named chain, of the given version.
func New(chain, version string) *Metrics {
	fixed := prometheus.Labels{"chain": chain}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: namespace + name, Help: help, ConstLabels: fixed}
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: namespace + name, Help: help, ConstLabels: fixed})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets, ConstLabels: fixed})
	}
	seconds := []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .3, .5, 1, 2}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		height:   gauge("height_blocks", "Height of the last final block."),
		gas:      gauge("last_block_gas", "Gas that the last block used."),
		issued:   gauge("issued_coins", "Coins issued since genesis, about."),
		burned:   gauge("burned_coins", "Coins burned since genesis, about."),
		blocks:   prometheus.NewCounter(counter("committed_blocks_total", "Blocks committed since the node started.")),
		txs:      prometheus.NewCounter(counter("committed_transactions_total", "Transactions in those blocks.")),
		problems: gauge("money_check_problems", "What did not add up when all money was last added up."),
		checks:   prometheus.NewCounter(counter("money_checks_total", "How often all money was added up since the node started.")),
		failed: prometheus.NewCounterVec(
			counter("system_call_failures_total", "System calls that failed since the node started, by call."), []string{"call"}),
		refused: prometheus.NewCounterVec(
			counter("pool_refusals_total", "Transactions that the pool refused, by reason."), []string{"reason"}),
		build:    histogram("block_build_seconds", "Time to choose and run the transactions of a proposal of our own.", seconds),
		execute:  histogram("block_execution_seconds", "Time to run a block that another node proposed.", seconds),
		blockGas: histogram("block_gas", "Gas used by each block.", prometheus.ExponentialBuckets(21_000, 4, 8)),
		blockTxs: histogram("block_transactions", "Transactions in each block.", prometheus.ExponentialBuckets(1, 4, 7)),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: namespace + "build_info", Help: "Always 1; the label names the version.",
		ConstLabels: prometheus.Labels{"chain": chain, "version": version},
	})
	info.Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info, m.height, m.gas, m.issued, m.burned, m.blocks, m.txs, m.failed, m.problems, m.checks, m.refused, m.build, m.execute, m.blockGas, m.blockTxs)
	return m
}

// Registry is where others of the same node add theirs.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Checked counts an audit of all money that found so many problems.
func (m *Metrics) Checked(problems int) {
	m.checks.Inc()
	m.problems.Set(float64(problems))
}

// Block is what a committed block adds.
type Block struct {
	Height, Gas uint64
	Txs         int
	// Issued and Burned are all that was since genesis, in base units.
	Issued, Burned *big.Int
	// Failed names the system calls that failed.
	Failed []string
}

// Committed counts a block.
func (m *Metrics) Committed(b Block) {
	m.height.Set(float64(b.Height))
	m.gas.Set(float64(b.Gas))
	m.issued.Set(Coins(b.Issued))
	m.burned.Set(Coins(b.Burned))
	m.blocks.Inc()
	m.txs.Add(float64(b.Txs))
	m.blockGas.Observe(float64(b.Gas))
	m.blockTxs.Observe(float64(b.Txs))
	for _, name := range b.Failed {
		m.failed.WithLabelValues(name).Inc()
	}
}

// Built notes how long a proposal took to make, the wait for work left out.
func (m *Metrics) Built(d time.Duration) { m.build.Observe(d.Seconds()) }

// Executed notes how long another's block took to run.
func (m *Metrics) Executed(d time.Duration) { m.execute.Observe(d.Seconds()) }

// Refused counts a transaction that the pool refused. The reasons are a closed list.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Sources are figures that are looked up whenever somebody asks.
type Sources struct {
	Pool     func() (pending, queued int)
	Peers    func() int
	Supply   func() *big.Int
	Clients  func() int
	Dropped  func() uint64
	CatchUp  func() bool
	Flushed  func() uint64
	Validate func() int64
	// Free is how many bytes the disk has left; ok is false where the system does not tell.
	Free func() (bytes uint64, ok bool)
}

// Watch shows figures of the node's parts. It is called once.
func (m *Metrics) Watch(s Sources) {
	gauge := func(name, help string, labels prometheus.Labels, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: namespace + name, Help: help, ConstLabels: labels}, f))
	}
	const pool = "Transactions in the pool: pending ones can be in the next block, queued ones wait for others."
	gauge("pool_transactions", pool, prometheus.Labels{"state": "pending"}, func() float64 { n, _ := s.Pool(); return float64(n) })
	gauge("pool_transactions", pool, prometheus.Labels{"state": "queued"}, func() float64 { _, n := s.Pool(); return float64(n) })
	gauge("peers", "Nodes that this one is connected with.", nil, func() float64 { return float64(s.Peers()) })
	gauge("supply_coins", "All coins there are, about: aitbcd check has them to the unit.", nil, func() float64 { return Coins(s.Supply()) })
	gauge("stream_clients", "Clients of the block stream.", nil, func() float64 { return float64(s.Clients()) })
	gauge("catching_up", "1 while the node fetches blocks that others have.", nil, func() float64 {
		if s.CatchUp() {
			return 1
		}
		return 0
	})
	gauge("flushed_blocks", "Height up to which the state is on disk: what follows is replayed after a crash.", nil, func() float64 { return float64(s.Flushed()) })
	if _, ok := s.Free(); ok {
		gauge("disk_free_bytes", "Space that the disk of the node's data has left.", nil, func() float64 { free, _ := s.Free(); return float64(free) })
	}
	gauge("validator_power", "Voting power of this node's key, 0 if it does not validate.", nil, func() float64 { return float64(s.Validate()) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: namespace + "stream_dropped_total", Help: "Clients of the block stream that were dropped for being too slow.",
	}, func() float64 { return float64(s.Dropped()) }))
}

// Handler shows all figures, at any path.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, ErrorHandling: promhttp.HTTPErrorOnError})
}

var baseUnits = new(big.Float).SetInt64(1e18)

// Coins is an amount for a dashboard, which has only floating point: nothing is decided by it.
func Coins(units *big.Int) float64 {
	f, _ := new(big.Float).Quo(new(big.Float).SetInt(units), baseUnits).Float64()
	return f
}
