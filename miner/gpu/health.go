package gpu

import "fmt"

// Limits say when a device gets no more work.
type Limits struct {
	// Temperature, in degrees Celsius, is the most; zero for what the driver says, or else for 90.
	Temperature uint64
	// Memory is the part of a device's memory that may be in use, by whomever: above 0, and 1 for all of it. Zero is as 1.
	Memory float64
}

// usualTemperature is the most for a device whose driver names none: where most data-centre and gaming cards slow down.
const usualTemperature = 90

// How much better a device must be than its limit before it gets work again: else it would stop and go with every job.
const (
	cooled = 5  // degrees
	eased  = 50 // a part of the memory, as its divisor: 2 %
)

// Ailment is what is wrong with a device.
type Ailment string

// The ailments.
const (
	Hot    Ailment = "hot"
	Faulty Ailment = "faulty" // its memory has had errors that nothing corrected
	Full   Ailment = "full"   // more of its memory is in use than may be
	Gone   Ailment = "gone"   // it was there, and is not or does not answer
)

// Trouble is why a device should get no more work.
type Trouble struct {
	Ailment Ailment
	Why     string // for people, with the device's number
}

// Unfit says why a device should get no more work, or returns nil: it is too hot, too much of its memory is in use, or its
// memory has had errors that nothing corrected since a look before. before may be nil.
func (d Device) Unfit(l Limits, before *Device) *Trouble {
	if before != nil && d.Errors != nil && before.Errors != nil && *d.Errors > *before.Errors {
		return &Trouble{Faulty, fmt.Sprintf("GPU %d had %d memory errors that nothing corrected", d.Index, *d.Errors-*before.Errors)}
	}
	if most := d.mostCelsius(l); d.Temperature != nil && *d.Temperature >= most {
		return &Trouble{Hot, fmt.Sprintf("GPU %d has %d °C, at most %d is allowed", d.Index, *d.Temperature, most)}
	}
	if most, ok := d.mostMemory(l); ok && *d.MemoryUsed > most {
		return &Trouble{Full, fmt.Sprintf("GPU %d has %.1f GiB of its memory in use, at most %.1f are allowed", d.Index, float64(*d.MemoryUsed)/gib, float64(most)/gib)}
	}
	return nil
}

// Recovering says why a device that has a trouble should get no work yet: it is hardly better than its limit.
func (d Device) Recovering(l Limits, from Ailment) *Trouble {
	switch most, ok := d.mostMemory(l); {
	case from == Hot && d.Temperature != nil && *d.Temperature+cooled >= d.mostCelsius(l):
		return &Trouble{Hot, fmt.Sprintf("GPU %d cools down, at %d °C", d.Index, *d.Temperature)}
	case from == Full && ok && *d.MemoryUsed+d.MemoryTotal/eased > most:
		return &Trouble{Full, fmt.Sprintf("GPU %d has %.1f GiB of its memory in use, too little less than %.1f", d.Index, float64(*d.MemoryUsed)/gib, float64(most)/gib)}
	}
	return nil
}

// gib is a GiB in bytes.
const gib = 1 << 30

func (d Device) mostCelsius(l Limits) uint64 {
	switch {
	case l.Temperature > 0:
		return l.Temperature
	case d.SlowdownAt != nil && *d.SlowdownAt > 0:
		return *d.SlowdownAt
	}
	return usualTemperature
}

// mostMemory is how many bytes may be in use, if that is limited and known.
func (d Device) mostMemory(l Limits) (uint64, bool) {
	if d.MemoryUsed == nil || l.Memory <= 0 || l.Memory >= 1 {
		return 0, false
	}
	return uint64(l.Memory * float64(d.MemoryTotal)), true
}
