"""Records what a GGUF's forward pass is, in float64, op by op: `record_reference.py --model FILE --out FOLDER`.

Written in numpy after the Qwen2 paper and modeling_qwen2.py, without the training code's model: it is the second opinion on that
too. FOLDER/prompt-0.safetensors holds every checkpoint, [tokens, width], as float32; prompt-0.json the ids, their greedy
continuation and how far the first logit was ahead of the second at each of its steps.
"""

import argparse
import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from gguf_file import read_gguf
from tokenizer import IM_END, Tokenizer

PROMPT = 'Haiku about autumn with forty-two and lantern'


def rms_norm(x: np.ndarray, weight: np.ndarray, epsilon: float) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def rope(x: np.ndarray, heads: int, theta: float) -> np.ndarray:
    """x [tokens, heads * size]; element i of a head turns with element i + size / 2, by position * theta^(-2 i / size)."""
    tokens, size = x.shape[0], x.shape[1] // heads
    first, second = np.split(x.reshape(tokens, heads, size), 2, axis=-1)
    angle = np.arange(tokens)[:, None, None] * theta ** (-np.arange(size // 2) * 2 / size)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.concatenate((first * cos - second * sin, second * cos + first * sin), -1).reshape(tokens, -1)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int, kv_heads: int) -> np.ndarray:
    tokens = q.shape[0]
    q, k, v = (x.reshape(tokens, count, -1) for x, count in ((q, heads), (k, kv_heads), (v, kv_heads)))
    result = np.empty_like(q)
    for head in range(heads):
        shared = head // (heads // kv_heads)
        scores = q[:, head] @ k[:, shared].T / np.sqrt(q.shape[-1])
        scores[np.triu_indices(tokens, 1)] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        result[:, head] = weights / weights.sum(-1, keepdims=True) @ v[:, shared]
    return result.reshape(tokens, -1)


def forward(ids: list[int], metadata: dict, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every checkpoint, by its name in a trace; `logits` is [tokens, vocabulary]."""
    heads, kv_heads = metadata['qwen2.attention.head_count'], metadata['qwen2.attention.head_count_kv']
    epsilon, theta = metadata['qwen2.attention.layer_norm_rms_epsilon'], metadata['qwen2.rope.freq_base']
    seen: dict[str, np.ndarray] = {}
    x = seen['token_embd'] = tensors['token_embd.weight'][ids]
    for layer in range(metadata['qwen2.block_count']):
        block = f'blk.{layer}'

        def linear(name: str, value: np.ndarray) -> np.ndarray:
            return value @ tensors[f'{block}.{name}.weight'].T + tensors.get(f'{block}.{name}.bias', 0.0)

        def see(name: str, value: np.ndarray) -> np.ndarray:
            seen[f'{block}.{name}'] = value
            return value

        normed = see('attn_norm', rms_norm(x, tensors[f'{block}.attn_norm.weight'], epsilon))
        q, k, v = (see(name, linear(name, normed)) for name in ('attn_q', 'attn_k', 'attn_v'))
        q, k = see('attn_q_rope', rope(q, heads, theta)), see('attn_k_rope', rope(k, kv_heads, theta))
        attended = see('attn_kqv', attention(q, k, v, heads, kv_heads))
        x = see('ffn_input', x + see('attn_output', linear('attn_output', attended)))
        normed = see('ffn_norm', rms_norm(x, tensors[f'{block}.ffn_norm.weight'], epsilon))
        gate, up = see('ffn_gate', linear('ffn_gate', normed)), see('ffn_up', linear('ffn_up', normed))
        activated = see('ffn_act', gate / (1 + np.exp(-gate)) * up)
        x = see('output', x + see('ffn_down', linear('ffn_down', activated)))
    seen['output_norm'] = rms_norm(x, tensors['output_norm.weight'], epsilon)
    seen['logits'] = seen['output_norm'] @ tensors['token_embd.weight'].T
    return seen


def write_safetensors(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """https://github.com/huggingface/safetensors: the header's length, a JSON header, the data."""
    header, payload = {}, b''
    for name, values in arrays.items():
        raw = values.astype('<f4').tobytes()
        header[name] = {'dtype': 'F32', 'shape': list(values.shape), 'data_offsets': [len(payload), len(payload) + len(raw)]}
        payload += raw
    encoded = json.dumps(header).encode()
    encoded += b' ' * (-len(encoded) % 8)
    path.write_bytes(struct.pack('<Q', len(encoded)) + encoded + payload)


def is_recorded(name: str, layers: int) -> bool:
    between = {f'blk.{layer}.{inner}' for layer in range(1, layers - 1) for inner in ('ffn_gate', 'ffn_up', 'ffn_act')}
    return name not in between


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    arguments = parser.parse_args()
    metadata, tensors = read_gguf(arguments.model)
    tokenizer = Tokenizer([tuple(merge.split(' ')) for merge in metadata['tokenizer.ggml.merges']])
    ids = tokenizer.encode_chat(PROMPT)
    layers = metadata['qwen2.block_count']
    checkpoints = {name: value for name, value in forward(ids, metadata, tensors).items() if is_recorded(name, layers)}
    greedy, gaps, logits = [], [], checkpoints['logits'][-1]
    while len(greedy) < 48:
        second, first = np.argsort(logits)[-2:]
        greedy.append(int(first))
        gaps.append(round(float(logits[first] - logits[second]), 6))
        if first == tokenizer.ids[IM_END]:
            break
        logits = forward(ids + greedy, metadata, tensors)['logits'][-1]
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_safetensors(arguments.out / 'prompt-0.safetensors', checkpoints)
    record = {
        'engine': 'numpy',
        'version': np.__version__,
        'dtype': 'float64',
        'model_file': arguments.model.name,
        'model_sha256': hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        'architecture': 'qwen2',
        'messages': [{'role': 'user', 'content': PROMPT}],
        'ids': ids,
        'greedy': greedy,
        'greedy_text': tokenizer.decode(greedy),
        'greedy_top1_top2_gap': gaps,
        'checkpoints': {name: list(values.shape) for name, values in checkpoints.items()},
    }
    (arguments.out / 'prompt-0.json').write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    main()
