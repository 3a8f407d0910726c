"""Generates the corpus, learns the vocabulary, and packs conversations into training rows.

    python3 prepare.py [--conversations N] [--stage first|second] [--out data]

The second stage keeps the vocabulary of the first.

Row arrays hold tokens, what to learn, and which conversation a token belongs to
(attention never crosses from one to another).
"""

import argparse
import os
import time

import numpy as np

import tokenizer as tk
from corpus import mix
from corpus.dice import Dice
from model import Shape

ROW, LONG_ROW = 256, 512


def plain_ids(tokenizer, dice):
    ids = [tk.BEGIN] + tokenizer.encode(mix.plain(dice)) + [tk.END]
    return ids, [0] + [1] * (len(ids) - 1)


def pack(documents, length, open_rows=24):
    """First fit of whole documents into rows of length + 1 tokens; longer ones are cut."""
    rows, finished = [], []
    for ids, learn in documents:
        ids, learn = ids[:length + 1], learn[:length + 1]
        for row in rows:
            if len(row[0]) + len(ids) <= length + 1:
                break
        else:
            if len(rows) == open_rows:
                rows.sort(key=lambda r: len(r[0]))
                finished.append(rows.pop())
            row = ([], [], [])
            rows.append(row)
        segment = row[2][-1] + 1 if row[2] else 1
        row[0].extend(ids)
        row[1].extend(learn)
        row[2].extend([segment] * len(ids))
    finished += rows
    tokens = np.zeros((len(finished), length + 1), np.uint16)
    learn, segment = np.zeros_like(tokens, np.uint8), np.zeros_like(tokens, np.uint8)
    for i, row in enumerate(finished):
        n = len(row[0])
        tokens[i, :n], learn[i, :n], segment[i, :n] = row
    return {"tokens": tokens, "learn": learn, "segment": segment}


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--conversations", type=int, default=480_000)
    args.add_argument("--out", default="data")
    args.add_argument("--stage", choices=list(mix.STAGES), default="first")
    args.add_argument("--seed", type=int, default=7)
    args = args.parse_args()
    os.makedirs(args.out, exist_ok=True)
    start = time.time()
    dice = Dice(args.seed if args.stage == "first" else args.seed + 1000, stage=args.stage)
    if args.stage == "first":
        sample = [text for _ in range(60_000) for _, text in mix.conversation(dice).turns]
        tk.train(sample, Shape.vocab).save(f"{args.out}/merges.json")
    tokenizer = tk.Tokenizer.load(f"{args.out}/merges.json")
    print(f"vocabulary {len(tokenizer.tokens)}, {time.time() - start:.0f} s", flush=True)

    def documents():
        for i in range(args.conversations):
            yield plain_ids(tokenizer, dice) if i % 40 == 0 else tk.render(tokenizer, mix.conversation(dice).turns)

    def long_documents():
        for _ in range(args.conversations // 100):
            yield tk.render(tokenizer, mix.long_conversation(dice, dice.number(900, 2100)).turns)

    rows = pack(documents(), ROW)
    np.savez(f"{args.out}/rows.npz", **rows)
    long_rows = pack(long_documents(), LONG_ROW)
    np.savez(f"{args.out}/long.npz", **long_rows)
    check = Dice(args.seed + 1, stage=args.stage)
    valid = pack((tk.render(tokenizer, mix.conversation(check).turns) for _ in range(3000)), ROW)
    np.savez(f"{args.out}/valid.npz", **valid)
    for name, r in (("rows", rows), ("long", long_rows), ("valid", valid)):
        used = int((r["segment"] > 0).sum())
        print(f"{name}: {len(r['tokens'])} rows, {used} tokens ({used / r['tokens'].size:.1%} full), {int(r['learn'].sum())} to learn")
    print(f"{time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
