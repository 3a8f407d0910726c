"""Writes GGUF version 3 files: key-value pairs, then tensors aligned to 32 bytes."""

import struct

import numpy as np

ALIGN = 32
F32, Q8_0 = 0, 8
KIND_U32, KIND_I32, KIND_F32, KIND_BOOL, KIND_STRING, KIND_ARRAY = 4, 5, 6, 7, 8, 9
PACK = {KIND_U32: "<I", KIND_I32: "<i", KIND_F32: "<f", KIND_BOOL: "<?"}


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind, v):
    return string(v) if kind == KIND_STRING else struct.pack(PACK[kind], v)


def q8_0(matrix):
    """Blocks of 32 values: a float16 scale and 32 signed bytes."""
    blocks = matrix.astype(np.float32).reshape(-1, 32)
    scale = (np.abs(blocks).max(1) / 127).astype(np.float16)
    divisor = np.where(scale == 0, 1, scale.astype(np.float32))
    out = np.zeros(len(blocks), dtype=[("scale", "<f2"), ("values", "i1", 32)])
    out["scale"] = scale
    out["values"] = np.clip(np.round(blocks / divisor[:, None]), -127, 127)
    return out.tobytes()


class Writer:
    def __init__(self):
        self.pairs, self.tensors = [], []

    def put(self, key, kind, v):
        self.pairs.append(string(key) + struct.pack("<I", kind) + value(kind, v))

    def put_array(self, key, kind, values):
        head = string(key) + struct.pack("<IIQ", KIND_ARRAY, kind, len(values))
        self.pairs.append(head + b"".join(value(kind, v) for v in values))

    def add(self, name, array, kind):
        data = q8_0(array) if kind == Q8_0 else array.astype("<f4").tobytes()
        self.tensors.append((name, array.shape, kind, data))

    def write(self, path):
        info, offset = b"", 0
        for name, shape, kind, data in self.tensors:
            dims = b"".join(struct.pack("<Q", n) for n in reversed(shape))
            info += string(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, offset)
            offset += -(-len(data) // ALIGN) * ALIGN
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.pairs)) + b"".join(self.pairs) + info
        with open(path, "wb") as f:
            f.write(head + bytes(-len(head) % ALIGN))
            for *_, data in self.tensors:
                f.write(data + bytes(-len(data) % ALIGN))
