"""Trains the model for a given time and leaves a checkpoint that can be exported at any moment.

    python3 train.py --seconds 4800 [--data data] [--threads 2]

The learning rate follows the elapsed share of --seconds, so the result is good
when the time is over, however fast the machine was. A run that was interrupted
(SIGTERM saves first) goes on from its checkpoint, perhaps on rows of the second
stage.
"""

import argparse
import os
import signal
import time

import numpy as np
import torch
import torch.nn.functional as F

from model import Model, Shape, causal_mask
from muon import Muon

LONG_EVERY = 8  # every eighth step sees the long rows
SHAPE = Shape()


class Rows:
    """Shuffled rows, over and over."""

    def __init__(self, path, seed):
        data = np.load(path)
        self.tokens, self.learn, self.segment = data["tokens"], data["learn"], data["segment"]
        self.random = np.random.default_rng(seed)
        self.order = np.empty(0, np.int64)

    def take(self, count):
        if len(self.order) < count:
            self.order = self.random.permutation(len(self.tokens))
        chosen, self.order = self.order[:count], self.order[count:]
        return self.batch(chosen)

    def batch(self, chosen):
        tokens = torch.from_numpy(self.tokens[chosen].astype(np.int64))
        learn = torch.from_numpy(self.learn[chosen]).bool()
        segment = torch.from_numpy(self.segment[chosen])
        same = segment[:, :-1, None] == segment[:, None, :-1]
        mask = causal_mask(tokens.shape[1] - 1).masked_fill(~same, float("-inf"))
        # The target must lie in the conversation of the token before it.
        learn = learn[:, 1:] & (segment[:, 1:] == segment[:, :-1])
        return tokens, learn, mask[:, None], torch.from_numpy(weights(learn.numpy()))


def weights(learn):
    """The weight of each token to learn: 1/sqrt(n) in an answer of n tokens.

    Otherwise long stories would drown short answers in which every token counts.
    """
    edges = np.diff(np.pad(learn.astype(np.int8), ((0, 0), (1, 1))).ravel())
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return np.repeat((ends - starts) ** -0.5, ends - starts).astype(np.float32)


def loss_of(model, batch):
    """Weighted mean loss over the tokens to learn; products in bfloat16, the rest in float32."""
    tokens, learn, mask, weight = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model.logits(model.hidden(tokens[:, :-1], mask)[learn])
    losses = F.cross_entropy(logits.float(), tokens[:, 1:][learn], reduction="none")
    return (losses * weight).sum() / weight.sum()


@torch.no_grad()
def validate(model, rows, limit=160, size=16):
    n = min(limit, len(rows.tokens))
    parts = [(loss_of(model, rows.batch(np.arange(i, min(i + size, n)))).item()) for i in range(0, n, size)]
    return sum(parts) / len(parts)


def save(path, model, optimizers, state):
    temporary = path + ".new"
    torch.save({"shape": model.shape.to_dict(), "model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], **state}, temporary)
    os.replace(temporary, path)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seconds", type=float, required=True)
    args.add_argument("--data", default="data")
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--rows", type=int, default=24)
    args = args.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)

    model = Model(SHAPE)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "token_embd" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() != 2 or "token_embd" in n]
    optimizers = [Muon(matrices, lr=0.02, weight_decay=0.05), torch.optim.AdamW(others, lr=4e-3, betas=(0.9, 0.97), weight_decay=0.0)]
    rates = [o.param_groups[0]["lr"] for o in optimizers]
    state = {"step": 0, "seconds": 0.0, "tokens": 0}
    path = f"{args.data}/checkpoint.pt"
    if os.path.exists(path):
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        for o, s in zip(optimizers, saved["optimizers"]):
            o.load_state_dict(s)
        state = {k: saved[k] for k in state}
    seed = state["step"]
    rows, long_rows, valid = Rows(f"{args.data}/rows.npz", seed), Rows(f"{args.data}/long.npz", seed), Rows(f"{args.data}/valid.npz", 0)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, from step {state['step']}", flush=True)

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    before, last, recent = state["seconds"], time.time(), []
    start, cpu = last, time.process_time()
    while state["seconds"] < args.seconds and not stop:
        done = state["seconds"] / args.seconds
        factor = min(1, (state["step"] + 1) / 100) * max(0.0, min(1, (1 - done) / 0.6))
        for optimizer, rate in zip(optimizers, rates):
            optimizer.param_groups[0]["lr"] = rate * factor
        batch = long_rows.take(args.rows // 3) if state["step"] % LONG_EVERY == LONG_EVERY - 1 else rows.take(args.rows)
        loss = loss_of(model, batch)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        recent.append(loss.item())
        state["step"] += 1
        state["tokens"] += batch[0].numel()
        state["seconds"] = before + time.time() - start
        if state["step"] % 50 == 0:
            print(f"step {state['step']} tokens {state['tokens']} loss {np.mean(recent):.4f} seconds {state['seconds']:.0f} cpu {time.process_time() - cpu:.0f}", flush=True)
            recent.clear()
        if time.time() - last > 180:
            last = time.time()
            save(path, model, optimizers, state)
            print(f"saved; valid {validate(model, valid, 64):.4f}", flush=True)
    save(path, model, optimizers, state)
    print(f"done: step {state['step']} tokens {state['tokens']} seconds {state['seconds']:.0f} cpu {time.process_time() - cpu:.0f} valid {validate(model, valid):.4f}", flush=True)


if __name__ == "__main__":
    main()
