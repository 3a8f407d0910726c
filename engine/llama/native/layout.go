package native

// modelParams is struct llama_model_params.
type modelParams struct {
	Devices, BufferTypes           uintptr
	GPULayers, SplitMode           int32
	LoadMode, LazyMode, MainGPU    int32
	TensorSplit, Progress, Data    uintptr
	Overrides                      uintptr
	VocabOnly, CheckTensors, Extra bool
	NoHost, NoAlloc, LoadMTP       bool
}

// contextParams is struct llama_context_params.
type contextParams struct {
	Context, Batch, Ubatch, MaxSequences         uint32
	Snapshots, MaxOutputs, MaxOutputsOfOne       uint32
	Threads, ThreadsBatch                        int32
	Type, RopeScaling, Pooling, Attention, Flash int32
	RopeBase, RopeScale                          float32
	YarnExt, YarnAttn, YarnFast, YarnSlow        float32
	YarnContext                                  uint32
	Defrag                                       float32
	Eval, EvalData                               uintptr
	TypeK, TypeV                                 int32
	Abort, AbortData                             uintptr
	Embeddings, OffloadKQV, NoPerf, OffloadOps   bool
	SWAFull, Unified                             bool
	Samplers                                     uintptr
	SamplerCount                                 uint64
	Other                                        uintptr
}

// batch is struct llama_batch.
type batch struct {
	Count     int32
	Tokens    *int32
	Embd      uintptr
	Positions *int32
	Counts    *int32
	Sequences **int32
	Logits    *int8
}
