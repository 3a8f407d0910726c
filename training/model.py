"""The network: a small llama (RMS norm, rotary positions, grouped-query
attention, gated feed-forward, tied embeddings).

Names and layouts follow the GGUF llama architecture, so that export.py only
renames tensors. Rotary positions turn neighbouring pairs (2i, 2i+1), which is
what GGUF calls the "norm" layout for llama.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass(frozen=True)
class Shape:
    """The sizes of a model. Widths must be multiples of 32 (Q8_0 blocks)."""

    vocab: int = 2048
    width: int = 192
    layers: int = 5
    heads: int = 6
    kv_heads: int = 3
    hidden: int = 512
    context: int = 512
    rope_base: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_width(self):
        return self.width // self.heads

    def to_dict(self):
        return asdict(self)


class Norm(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.eps = shape.norm_eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        kv_width = shape.kv_heads * shape.head_width
        self.attn_norm = Norm(shape)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, kv_width, bias=False)
        self.attn_v = nn.Linear(shape.width, kv_width, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_norm = Norm(shape)
        self.ffn_gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x, rotation, mask):
        x = x + self.attend(self.attn_norm(x), rotation, mask)
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))

    def attend(self, h, rotation, mask):
        s = self.shape
        rows, length, _ = h.shape
        q = rotate(self.attn_q(h).float().view(rows, length, s.heads, s.head_width), rotation)
        k = rotate(self.attn_k(h).float().view(rows, length, s.kv_heads, s.head_width), rotation)
        v = self.attn_v(h).float().view(rows, length, s.kv_heads, s.head_width)
        group = s.heads // s.kv_heads
        # One matrix product a (row, kv head): its group of query heads is stacked along time.
        q = q.view(rows, length, s.kv_heads, group, s.head_width).permute(0, 2, 3, 1, 4)
        q = q.reshape(rows * s.kv_heads, group * length, s.head_width)
        k = k.transpose(1, 2).reshape(rows * s.kv_heads, length, s.head_width)
        v = v.transpose(1, 2).reshape(rows * s.kv_heads, length, s.head_width)
        scores = torch.bmm(q * s.head_width**-0.5, k.transpose(1, 2))
        scores = scores.view(rows, s.kv_heads * group, length, length) + mask
        weights = scores.softmax(-1).view(rows * s.kv_heads, group * length, length)
        out = torch.bmm(weights, v).view(rows, s.kv_heads, group, length, s.head_width)
        return self.attn_output(out.permute(0, 3, 1, 2, 4).reshape(rows, length, s.width))


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocab, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                std = 0.04 if "token_embd" in name else p.shape[1] ** -0.5
                nn.init.normal_(p, 0, std / (2 * shape.layers) ** 0.5 if last else std)
        pair = torch.arange(0, shape.head_width, 2).float() / shape.head_width
        angle = torch.outer(torch.arange(shape.context).float(), shape.rope_base**-pair)
        self.register_buffer("rotation", torch.polar(torch.ones_like(angle), angle), persistent=False)

    def hidden(self, tokens, mask):
        """Returns the normed last states; mask is added to attention scores."""
        x = self.token_embd(tokens)
        rotation = self.rotation[: tokens.shape[1], None]
        for block in self.blk:
            x = block(x, rotation, mask)
        return self.output_norm(x)

    def logits(self, states):
        return F.linear(states, self.token_embd.weight)


def rotate(x, rotation):
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * rotation).flatten(-2)


def causal_mask(length):
    return torch.full((length, length), float("-inf")).triu(1)
