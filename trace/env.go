package trace

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// FromEnv returns the tracer that OpenTelemetry's environment variables ask for, or nil if they ask for none: nothing is
// sent unless an endpoint is set. It honours OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT,
// _HEADERS, _TIMEOUT and _PROTOCOL with their _TRACES_ forms, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
// OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG and OTEL_BSP_SCHEDULE_DELAY. Spans are sent as JSON over HTTP, whatever
// http protocol is named: collectors tell them apart by the content type.
func FromEnv(getenv func(string) string, service, version string) (*Tracer, error) {
	signal := func(name string) string {
		return cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_"+name), getenv("OTEL_EXPORTER_OTLP_"+name))
	}
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	switch e := getenv("OTEL_TRACES_EXPORTER"); e {
	case "none":
		return nil, nil
	case "", "otlp":
	default:
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: use otlp or none", e)
	}
	endpoint := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if base := getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); endpoint == "" && base != "" {
		endpoint = strings.TrimRight(base, "/") + "/v1/traces"
	}
	if endpoint == "" {
		return nil, nil
	}
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the OTLP endpoint is no http or https URL")
	}
	if p := signal("PROTOCOL"); p != "" && p != "http/json" && p != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: only OTLP over HTTP is spoken", p)
	}
	cfg := Config{Endpoint: endpoint, Header: http.Header{}}
	headers, err := pairs(signal("HEADERS"))
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: want name=value, with commas between") // it may hold a secret
	}
	for _, h := range headers {
		cfg.Header.Set(h.Key, h.Value.(string))
	}
	if cfg.Timeout, err = millis(signal("TIMEOUT")); err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT: %w", err)
	}
	if cfg.Every, err = millis(getenv("OTEL_BSP_SCHEDULE_DELAY")); err != nil {
		return nil, fmt.Errorf("OTEL_BSP_SCHEDULE_DELAY: %w", err)
	}
	if cfg.Resource, err = pairs(getenv("OTEL_RESOURCE_ATTRIBUTES")); err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	cfg.Resource = append([]Attribute{String("service.name", cmp.Or(getenv("OTEL_SERVICE_NAME"), service)), String("service.version", version)}, cfg.Resource...)
	if err := cfg.sampler(getenv("OTEL_TRACES_SAMPLER"), getenv("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, err
	}
	return New(cfg), nil
}

func (c *Config) sampler(name, arg string) error {
	name, parent := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	c.Own = !parent
	switch name {
	case "always_on":
		c.Ratio = 1
	case "always_off":
		c.Ratio = 0
	case "traceidratio":
		r, err := strconv.ParseFloat(cmp.Or(arg, "1"), 64)
		if err != nil || !(r >= 0 && r <= 1) {
			return fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q: use 0 to 1", arg)
		}
		c.Ratio = r
	default:
		return fmt.Errorf("OTEL_TRACES_SAMPLER is %q: use always_on, always_off, traceidratio, or one of these after parentbased_", name)
	}
	return nil
}

// pairs reads name=value pairs with commas between, percent-encoded.
func pairs(text string) (out []Attribute, err error) {
	for p := range strings.SplitSeq(text, ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		k, v, ok := strings.Cut(p, "=")
		value, err := url.PathUnescape(strings.TrimSpace(v))
		if !ok || err != nil || strings.TrimSpace(k) == "" {
			return nil, fmt.Errorf("want name=value, with commas between")
		}
		out = append(out, String(strings.TrimSpace(k), value))
	}
	return out, nil
}

// millis reads a number of milliseconds, zero for none.
func millis(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("want a number of milliseconds, got %q", text)
	}
	return time.Duration(n) * time.Millisecond, nil
}
