"""A byte-pair tokenizer that a GGUF reader runs as "llama" (SentencePiece) vocabulary.

Merges never cross the borders that PIECES draws, digits stay single, and spaces
are written as U+2581. Scores fall with the merge's rank, so a reader that always
joins the best-scored neighbours finds the same pieces as encode() does.
"""

import collections
import json
import re

SPACE = "\u2581"
PIECES = re.compile(r" ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s")
CONTROL = ["<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]
UNKNOWN, BEGIN, END, SYSTEM, USER, ASSISTANT, TOOL = range(7)
ROLE = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT, "tool": TOOL}
FIRST_BYTE = len(CONTROL)
ALPHABET = [SPACE] + [chr(c) for c in range(33, 127)]
TYPE_NORMAL, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_BYTE = 1, 2, 3, 6


def train(texts, size):
    """Learns merges from texts until the vocabulary has size entries."""
    words = collections.Counter()
    for text in texts:
        words.update(PIECES.findall(text))
    words = {w.replace(" ", SPACE): c for w, c in words.items() if all(ch == " " or ch in ALPHABET for ch in w)}
    splits, counts = [list(w) for w in words], list(words.values())
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, s in enumerate(splits):
        for pair in zip(s, s[1:]):
            pairs[pair] += counts[i]
            where[pair].add(i)
    merges, known = [], set(ALPHABET)
    while FIRST_BYTE + 256 + len(ALPHABET) + len(merges) < size:
        best = max(pairs.items(), key=lambda kv: (kv[1], kv[0]))[0]
        joined = best[0] + best[1]
        if joined not in known:
            known.add(joined)
            merges.append(joined)
        for i in list(where[best]):
            s = splits[i]
            for pair in zip(s, s[1:]):
                pairs[pair] -= counts[i]
            splits[i] = s = join(s, best)
            for pair in zip(s, s[1:]):
                pairs[pair] += counts[i]
                where[pair].add(i)
        del pairs[best], where[best]
    return Tokenizer(merges)


def join(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            out.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.tokens = CONTROL + [f"<0x{b:02X}>" for b in range(256)] + merges + ALPHABET
        self.scores = [0.0] * (FIRST_BYTE + 256) + [-float(i) for i in range(len(merges))] + [-1e5 - i for i in range(len(ALPHABET))]
        self.types = ([TYPE_UNKNOWN] + [TYPE_CONTROL] * (FIRST_BYTE - 1) + [TYPE_BYTE] * 256 + [TYPE_NORMAL] * (len(merges) + len(ALPHABET)))
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.rank = {m: i for i, m in enumerate(merges)}
        self.cache = {}

    def encode(self, text):
        ids = []
        for piece in PIECES.findall(text):
            found = self.cache.get(piece)
            if found is None:
                found = self.cache[piece] = self.encode_piece(piece)
            ids += found
        return ids

    def encode_piece(self, piece):
        symbols = list(piece.replace(" ", SPACE))
        while len(symbols) > 1:
            rank, i = min((self.rank.get(a + b, 1 << 30), i) for i, (a, b) in enumerate(zip(symbols, symbols[1:])))
            if rank == 1 << 30:
                break
            symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
        ids = []
        for s in symbols:
            ids += [self.ids[s]] if s in self.ids else [FIRST_BYTE + b for b in s.encode()]
        return ids

    def decode(self, ids):
        raw = b""
        for i in ids:
            if FIRST_BYTE <= i < FIRST_BYTE + 256:
                raw += bytes([i - FIRST_BYTE])
            elif i >= FIRST_BYTE:
                raw += self.tokens[i].replace(SPACE, " ").encode()
        return raw.decode(errors="replace")

    def save(self, path):
        with open(path, "w") as f:
            json.dump(self.merges, f)

    @classmethod
    def load(cls, path):
        with open(path) as f:
            return cls(json.load(f))


def render(tokenizer, turns, answer=False):
    """Returns (ids, learn): a conversation as tokens, and which of them are to be learnt.

    Each turn is its role's token and its text; assistant turns end with </s>.
    With answer, an open assistant turn follows.
    """
    ids, learn = [BEGIN], [0]
    for role, text in turns:
        own = tokenizer.encode(text) + ([END] if role == "assistant" else [])
        ids += [ROLE[role]] + own
        learn += [0] + [1 if role == "assistant" else 0] * len(own)
    if answer:
        ids.append(ASSISTANT)
        learn.append(0)
    return ids, learn
