"""Writes GGUF version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), with numpy alone."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ALIGNMENT = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
BLOCK = 32


@dataclass(frozen=True)
class TensorType:
    name: str
    code: int
    file_type: int
    """general.file_type of a file whose matrices have this type (llama.cpp's LLAMA_FTYPE)"""


F32 = TensorType('F32', 0, 0)
Q8_0 = TensorType('Q8_0', 8, 7)
BF16 = TensorType('BF16', 30, 32)
TYPES = {kind.name: kind for kind in (F32, Q8_0, BF16)}


def quantize_q8_0(values: np.ndarray) -> bytes:
    """Blocks of 32: a float16 scale d = max|x| / 127, then 32 int8 round(x / d), as ggml's quantize_row_q8_0_ref."""
    blocks = values.astype(np.float32).reshape(-1, BLOCK)
    scale = np.abs(blocks).max(1) / np.float32(127)
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse[:, None]
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int8)  # C's roundf: halves away from zero
    packed = np.empty(len(blocks), np.dtype([('scale', '<f2'), ('quants', 'i1', BLOCK)]))
    packed['scale'], packed['quants'] = scale.astype(np.float16), rounded
    return packed.tobytes()


def encode_bf16(values: np.ndarray) -> bytes:
    """The upper half of a float32, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype('<u2').tobytes()


def encode(values: np.ndarray, kind: TensorType) -> bytes:
    if kind is Q8_0:
        return quantize_q8_0(values)
    return encode_bf16(values) if kind is BF16 else np.ascontiguousarray(values, '<f4').tobytes()


def string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack('<Q', len(raw)) + raw


@dataclass(frozen=True)
class Uint32:
    value: int


@dataclass(frozen=True)
class Int32Array:
    values: list[int]


Metadata = dict[str, 'str | bool | float | Uint32 | list[str] | Int32Array']


def metadata_value(value) -> bytes:
    """The value type and the value; a Python int has no single GGUF type, so Uint32 and Int32Array say it."""
    match value:
        case bool():
            return struct.pack('<I?', BOOL, value)
        case float():
            return struct.pack('<If', FLOAT32, value)
        case str():
            return struct.pack('<I', STRING) + string(value)
        case Uint32():
            return struct.pack('<II', UINT32, value.value)
        case Int32Array():
            return struct.pack(f'<IIQ{len(value.values)}i', ARRAY, INT32, len(value.values), *value.values)
        case list():
            return struct.pack('<IIQ', ARRAY, STRING, len(value)) + b''.join(map(string, value))
    raise TypeError(f'no GGUF type for {type(value).__name__}')


def write_gguf(path: Path, metadata: Metadata, tensors: dict[str, np.ndarray], kind: TensorType) -> None:
    """Matrices become `kind`, vectors stay F32. numpy's shape [rows, columns] is GGUF's [columns, rows]."""
    header = struct.pack('<IIQQ', 0x46554747, 3, len(tensors), len(metadata))
    header += b''.join(string(key) + metadata_value(value) for key, value in metadata.items())
    payload = b''
    for name, values in tensors.items():
        own = kind if values.ndim > 1 else F32
        header += string(name) + struct.pack(
            f'<I{values.ndim}QIQ', values.ndim, *reversed(values.shape), own.code, len(payload)
        )
        payload += encode(values, own)
        payload += bytes(-len(payload) % ALIGNMENT)
    header += bytes(-len(header) % ALIGNMENT)
    path.write_bytes(header + payload)


class Reader:
    def __init__(self, data: bytes):
        self.data, self.offset = data, 0

    def take(self, form: str):
        (value,) = struct.unpack_from(f'<{form}', self.data, self.offset)
        self.offset += struct.calcsize(f'<{form}')
        return value

    def string(self) -> str:
        length = self.take('Q')
        self.offset += length
        return self.data[self.offset - length : self.offset].decode()

    def value(self, code: int):
        if code == ARRAY:
            code, count = self.take('I'), self.take('Q')
            return [self.value(code) for _ in range(count)]
        return self.string() if code == STRING else self.take({UINT32: 'I', INT32: 'i', FLOAT32: 'f', BOOL: '?'}[code])


def decode(data: bytes, offset: int, count: int, code: int) -> np.ndarray:
    """A tensor's values as float64, exactly."""
    if code == Q8_0.code:
        blocks = np.frombuffer(data, np.dtype([('scale', '<f2'), ('quants', 'i1', BLOCK)]), count // BLOCK, offset)
        return (blocks['scale'].astype(np.float64)[:, None] * blocks['quants']).reshape(-1)
    if code == BF16.code:
        return (np.frombuffer(data, '<u2', count, offset).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return np.frombuffer(data, '<f4', count, offset).astype(np.float64)


def read_gguf(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Metadata and float64 tensors of a file that write_gguf wrote; other files may hold types unknown here."""
    reader = Reader(path.read_bytes())
    magic, version = reader.take('I'), reader.take('I')
    if (magic, version) != (0x46554747, 3):
        raise ValueError(f'{path} is no GGUF of version 3')
    tensor_count, metadata_count = reader.take('Q'), reader.take('Q')
    metadata = {reader.string(): reader.value(reader.take('I')) for _ in range(metadata_count)}
    entries = []
    for _ in range(tensor_count):
        name = reader.string()
        shape = [reader.take('Q') for _ in range(reader.take('I'))]
        entries.append((name, shape[::-1], reader.take('I'), reader.take('Q')))
    start = reader.offset + -reader.offset % ALIGNMENT
    return metadata, {
        name: decode(reader.data, start + offset, int(np.prod(shape)), code).reshape(shape)
        for name, shape, code, offset in entries
    }
