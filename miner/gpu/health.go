package gpu

import "fmt"

// Limits say when a device gets no more work.
type Limits struct {
	// Temperature, in degrees Celsius, is the most; zero for what the driver says, or else for 90.
	Temperature uint64
}

// usualTemperature is the most for a device whose driver names none: where most data-centre and gaming cards slow down.
const usualTemperature = 90

// Unfit says why a device should get no more work, or nothing: it is too hot, or its memory has had errors that nothing
// corrected since a look before. before may be nil.
func (d Device) Unfit(l Limits, before *Device) string {
	most := uint64(usualTemperature)
	switch {
	case l.Temperature > 0:
		most = l.Temperature
	case d.SlowdownAt != nil && *d.SlowdownAt > 0:
		most = *d.SlowdownAt
	}
	if d.Temperature != nil && *d.Temperature >= most {
		return fmt.Sprintf("GPU %d has %d °C, at most %d is allowed", d.Index, *d.Temperature, most)
	}
	if before != nil && d.Errors != nil && before.Errors != nil && *d.Errors > *before.Errors {
		return fmt.Sprintf("GPU %d had %d memory errors that nothing corrected", d.Index, *d.Errors-*before.Errors)
	}
	return ""
}
