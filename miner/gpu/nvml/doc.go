// Package nvml asks NVIDIA's management library (NVML) about GPUs. The library is part of the driver and opened when the
// program runs, so only programs that are linked dynamically can use it. Names and numbers are those of NVIDIA's published
// NVML API reference.
package nvml
