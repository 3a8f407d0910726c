package settings

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Initial is what init puts into a new file.
type Initial struct {
	Address        common.Address
	PortOffset     int
	PassphraseFile string   // empty to ask, or to take AITBC_PASSPHRASE_FILE's
	Coordinator    string   // empty for the usual one
	RPC            string   // empty for the usual one
	Engines        []Engine // of other servers, beside the model that is part of the program
}

// Text returns the settings as a file with explanations.
func (i Initial) Text() string {
	line := func(key, value, usual string) string {
		if value == "" {
			return fmt.Sprintf("# %s = %q", key, usual)
		}
		return fmt.Sprintf("%s = %q", key, value)
	}
	return strings.NewReplacer(
		"{offset}", fmt.Sprint(i.PortOffset),
		"{url}", line("url", i.Coordinator, "http://127.0.0.1:18000"),
		"{rpc}", line("rpc_url", i.RPC, "http://127.0.0.1:8545"),
		"{passphrase}", line("passphrase_file", i.PassphraseFile, "/path/to/a/file/of/mode/0600"),
		"{address}", i.Address.Hex(),
	).Replace(text) + i.engines()
}

// engines writes the tables of model servers.
func (i Initial) engines() string {
	coins := func(p Price) string { return strings.TrimSuffix(p.Coins(), " AITBC") }
	var b strings.Builder
	for _, e := range i.Engines {
		fmt.Fprintf(&b, "\n[[engine]]\nkind = %q\nurl = %q\nmodels = [%s]\nprompt_rate = %q\ncompletion_rate = %q\nmax_tokens = %d\n",
			e.Kind, e.URL, quoted(e.Models), coins(e.PromptRate), coins(e.CompletionRate), e.MaxTokens)
	}
	return b.String()
}

// quoted writes texts as the items of a TOML array.
func quoted(texts []string) string {
	var q []string
	for _, t := range texts {
		q = append(q, strconv.Quote(t))
	}
	return strings.Join(q, ", ")
}

const text = `# Settings of aitbc-miner. Unknown keys are an error.

# Added to every port that is not given in full below.
port_offset = {offset}

[mining]
# Whole AITBC locked when the miner registers on the chain.
stake_amount = 10000
# false: register, but take no jobs.
compute_enabled = true
# Devices to use. The exact engine runs on the processor and needs none.
gpu_devices = []
# No more work for a GPU that is hotter, in degrees Celsius; 0: than its driver allows before it slows it down, or than 90.
gpu_max_celsius = 0
# Watts that each of these GPUs may draw while the miner runs; 0: as it is. Root alone may set it: aitbc-miner doctor says
# how it is set where the miner's user may not. What was there before comes back when the miner stops.
gpu_power_limit = 0
# The part of each GPU's memory that may be in use, by whomever: above, it gets no more jobs. Offers say that much. 1: all.
gpu_memory_fraction = 1.0
# Jobs at a time on each GPU, beside the bound of slots; 0: as many as slots. An engine that names no gpus is taken to use all.
gpu_slots = 0
# Jobs at a time.
slots = 1
# Measure each model by a short standard job when the miner starts, for its offer.
benchmark = true
# How long jobs under way may go on when the miner is stopped.
grace = "20s"

# What clients may choose miners by, as you say it. Leave out what does not apply.
[machine]
# gpu = "NVIDIA H100"
# vram_gb = 80
# region = "eu-central"

[coordinator]
{url}
# Others that the miner works for too, with the same offers and slots.
# more = ["https://coordinator.example"]

[chain]
{rpc}

[keys]
address = "{address}"
{passphrase}

[server]
# Health, status and metrics. They need no key, so the address is a local one.
# addr = "127.0.0.1:18001"
# true: others may reach that address, and read what the miner does.
# public = false

# The model that is part of the program. Rates are AITBC per 10^6 tokens;
# second_rate and item_rate, if set, are charged besides: for each second of
# computing, and for each job or text to embed.
[[engine]]
kind = "exact"
name = "aitbc-tiny"
prompt_rate = "0.1"
completion_rate = "0.5"
max_tokens = 512

# A GGUF file run by llama.cpp, on the GPU if there is one: aitbc-miner engine
# install fetches it. It runs in a program of its own, which can reach no file but
# this one, and no network.
# [[engine]]
# kind = "llama"
# path = "/path/to/model.gguf"
# name = "qwen3:8b"
# backend = "cuda"             # or "cuda12", "vulkan", "cpu"; left out: what is installed
# context = 8192               # tokens of a job; each of mining.slots takes memory for them
# gpu_layers = 99              # left out: all
# threads = 8                  # of the processor; left out: all
# gpus = [0]                   # left out: all
# prompt_rate = "0.5"
# completion_rate = "1"
# max_tokens = 4096

# Models of Ollama, or of any server that speaks OpenAI's protocol. It does not
# show its weights, so receipts say that the model is claimed.
# [[engine]]
# kind = "openai"
# url = "http://127.0.0.1:11434/v1"
# models = ["llama3.2"]
# prompt_rate = "1"
# completion_rate = "2"
# max_tokens = 4096
# gpus = [0]                   # devices that the server uses; left out: all of mining.gpu_devices

# Programs of clients in containers of an image, which is named by its digest:
# docker image inspect --format '{{.Id}}' IMAGE shows it. They have no network
# and no rights, and nothing but what is said here. More images are more tables.
# [[engine]]
# kind = "container"
# name = "python-3.12"
# image = "sha256:…"
# second_rate = "0.0001"
# max_seconds = 600
# cpus = 1
# memory_mb = 512
# disk_mb = 256                # of the job's folder, which lies in memory too
# output_kb = 4096             # printed and left as files, together
# processes = 128
# gpus = []                    # devices that a program may use
# socket = "/var/run/docker.sock"
`
