"""Asks a checkpoint what it was not trained on and counts right answers by category.

    python3 evaluate.py [--each 40] [--show 2] [--data data]

Prompts are drawn from the test side of the grammars (see corpus/dice.py). Answers
are greedy. Where the grammar has one answer, it must be met exactly; stories,
poems, lists and free JSON are checked for what was asked.
"""

import argparse
import collections
import json

import torch

import tokenizer as tk
from corpus import mix
from corpus.dice import Dice
from corpus.poems import SUBJECTS
from corpus.stories import HEROES
from corpus.words import NAMES, THINGS
from model import Model, Shape, causal_mask

MEMORIZED = {"fact", "small talk", "identity", "count"}  # little or nothing is held out there


@torch.no_grad()
def answer(model, tokenizer, turns, limit=200):
    ids, _ = tk.render(tokenizer, turns, answer=True)
    start = len(ids)
    while len(ids) - start < limit and len(ids) < model.shape.context:
        tokens = torch.tensor([ids])
        token = int(model.logits(model.hidden(tokens, causal_mask(len(ids)))[0, -1]).argmax())
        if token == tk.END:
            return tokenizer.decode(ids[start:])
        ids.append(token)
    return tokenizer.decode(ids[start:]) + " […]"


def asked_for(question, words):
    return [w for w in words if f" {w}" in question.lower() or f" {w}" in question]


def right(category, turns, expected, got):
    question = turns[-1][1]
    if category == "story":
        wanted = asked_for(question, HEROES + THINGS) + [n for n in NAMES if f" {n}" in question]
        names = [n for n in NAMES if n in got]
        return not got.endswith("[…]") and all(w in got for w in wanted) and 1 <= len(names) <= 2
    if category == "poem":
        wanted = asked_for(question, SUBJECTS)
        return got.count("\n") == 3 and all(w in got for w in wanted[-1:])
    if category == "list":
        return got.count(",") == expected.count(",") and got.endswith(".")
    if category == "json free":
        try:
            return list(json.loads(got)) == list(json.loads(expected))
        except (ValueError, TypeError):
            return False
    if category == "json" and "array" in question and expected.startswith("["):
        try:
            return len(json.loads(got)) == len(json.loads(expected))
        except (ValueError, TypeError):
            return False
    return got == expected


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--each", type=int, default=40)
    args.add_argument("--show", type=int, default=2)
    args.add_argument("--data", default="data")
    args = args.parse_args()
    torch.set_num_threads(1)
    saved = torch.load(f"{args.data}/checkpoint.pt")
    model = Model(Shape(**saved["shape"]))
    model.load_state_dict(saved["model"])
    tokenizer = tk.Tokenizer.load(f"{args.data}/merges.json")

    dice, seen, good = Dice(99, test=True), collections.Counter(), collections.Counter()
    shown = collections.Counter()
    wanted = collections.Counter({c: args.each for c in (
        "story", "story question", "poem", "fact", "sum", "word problem", "compare", "count", "aitbc", "identity", "small talk", "memory",
        "reading", "list", "refusal", "json", "json free", "tool call", "tool result")})
    while any(seen[c] < n for c, n in wanted.items()):
        talk = mix.one(dice)
        if seen[talk.category] >= wanted[talk.category]:
            continue
        turns, expected = talk.turns[:-1], talk.turns[-1][1]
        got = answer(model, tokenizer, turns)
        ok = right(talk.category, turns, expected, got)
        seen[talk.category] += 1
        good[talk.category] += ok
        if shown[talk.category, ok] < args.show:
            shown[talk.category, ok] += 1
            print(f"[{talk.category}] {'right' if ok else 'WRONG'}")
            for role, text in turns:
                print(f"    {role}: {text}")
            print(f"    -> {got}" + ("" if ok else f"\n    expected: {expected}"))
    print(f"\nstep {saved['step']}, {saved['tokens']} tokens\n")
    for c in sorted(seen):
        print(f"| {c} | {good[c]}/{seen[c]} |" + (" seen in training" if c in MEMORIZED else ""))
    print(f"| all | {sum(good.values())}/{sum(seen.values())} |")


if __name__ == "__main__":
    main()
