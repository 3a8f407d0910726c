"""Writes texts and their tokens, so that other tokenizers can be held against ours.

    python3 vectors.py FILE [--data data]
"""

import argparse
import json

import tokenizer as tk
from corpus import mix
from corpus.dice import Dice

ODD = ["", " ", "  two  spaces ", "\n", "a\n\nb", "tab\there", "12345 + 67 = 12412", "don't!", "…", "é", "naïve café", "你好, 世界", "😀👍", "<s></s><|user|>",
       "<0x0A>", "{\"name\": \"Ada\", \"age\": 7}", "▁", "AITBC's", "x" * 40, "Supercalifragilistic", "\u0000\u0001", "a\u0301"]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("file")
    args.add_argument("--data", default="data")
    args = args.parse_args()
    tokenizer = tk.Tokenizer.load(f"{args.data}/merges.json")
    dice = Dice(5, test=True)
    texts = ODD + [text for _ in range(60) for _, text in mix.conversation(dice).turns]
    with open(args.file, "w") as f:
        json.dump([{"text": t, "tokens": tokenizer.encode(t)} for t in texts], f, ensure_ascii=False, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
