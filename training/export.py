"""Writes a checkpoint as a GGUF file of the llama architecture: Q8_0 matrices, F32 norms.

    python3 export.py FILE [--data data]
"""

import argparse

import torch

import gguf
import tokenizer as tk
from model import Shape

TEMPLATE = ("{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
            "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def describe(out, shape, tokenizer):
    for key, text in (("general.architecture", "llama"), ("general.name", "aitbc-tiny"), ("general.license", "MIT"),
                      ("general.description", "A very small model trained on text of our own grammars; it shows that the network works."),
                      ("tokenizer.ggml.model", "llama"), ("tokenizer.chat_template", TEMPLATE)):
        out.put(key, gguf.KIND_STRING, text)
    for key, number in (("llama.context_length", shape.context), ("llama.embedding_length", shape.width), ("llama.block_count", shape.layers),
                        ("llama.feed_forward_length", shape.hidden), ("llama.attention.head_count", shape.heads),
                        ("llama.attention.head_count_kv", shape.kv_heads), ("llama.rope.dimension_count", shape.head_width),
                        ("llama.vocab_size", shape.vocab), ("general.file_type", 7), ("general.quantization_version", 2),
                        ("tokenizer.ggml.bos_token_id", tk.BEGIN), ("tokenizer.ggml.eos_token_id", tk.END), ("tokenizer.ggml.unknown_token_id", tk.UNKNOWN)):
        out.put(key, gguf.KIND_U32, number)
    out.put("llama.attention.layer_norm_rms_epsilon", gguf.KIND_F32, shape.norm_eps)
    out.put("llama.rope.freq_base", gguf.KIND_F32, shape.rope_base)
    out.put("tokenizer.ggml.add_bos_token", gguf.KIND_BOOL, True)
    out.put("tokenizer.ggml.add_eos_token", gguf.KIND_BOOL, False)
    out.put("tokenizer.ggml.add_space_prefix", gguf.KIND_BOOL, False)
    out.put_array("tokenizer.ggml.tokens", gguf.KIND_STRING, tokenizer.tokens)
    out.put_array("tokenizer.ggml.scores", gguf.KIND_F32, tokenizer.scores)
    out.put_array("tokenizer.ggml.token_type", gguf.KIND_I32, tokenizer.types)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("file")
    args.add_argument("--data", default="data")
    args = args.parse_args()
    saved = torch.load(f"{args.data}/checkpoint.pt")
    out = gguf.Writer()
    describe(out, Shape(**saved["shape"]), tk.Tokenizer.load(f"{args.data}/merges.json"))
    for name, tensor in saved["model"].items():
        out.add(name, tensor.numpy(), gguf.Q8_0 if tensor.dim() == 2 else gguf.F32)
    out.write(args.file)
    print(f"{args.file}: step {saved['step']}, {saved['tokens']} tokens seen")


if __name__ == "__main__":
    main()
