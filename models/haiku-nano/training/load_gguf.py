"""A GGUF back into the PyTorch model: what is measured is then the file itself, with its quantised weights."""

from pathlib import Path

import numpy as np
import torch

from gguf_file import read_gguf
from model import Config, HaikuNano
from tokenizer import Tokenizer


def load_gguf(path: Path) -> tuple[HaikuNano, Tokenizer]:
    metadata, tensors = read_gguf(path)
    config = Config(
        vocabulary=len(metadata['tokenizer.ggml.tokens']),
        width=metadata['qwen2.embedding_length'],
        layers=metadata['qwen2.block_count'],
        heads=metadata['qwen2.attention.head_count'],
        kv_heads=metadata['qwen2.attention.head_count_kv'],
        feed_forward=metadata['qwen2.feed_forward_length'],
        context=metadata['qwen2.context_length'],
        rope_theta=metadata['qwen2.rope.freq_base'],
        epsilon=metadata['qwen2.attention.layer_norm_rms_epsilon'],
    )
    weights = {name: tensors[name] for name in ('token_embd.weight', 'output_norm.weight')}
    stacked = {'attn_qkv': ('attn_q', 'attn_k', 'attn_v'), 'ffn_gate_up': ('ffn_gate', 'ffn_up')}
    for layer in range(config.layers):
        for name in ('attn_norm', 'attn_output', 'ffn_norm', 'ffn_down'):
            weights[f'blocks.{layer}.{name}.weight'] = tensors[f'blk.{layer}.{name}.weight']
        for name, parts in stacked.items():
            for kind in ('weight', 'bias') if name == 'attn_qkv' else ('weight',):
                weights[f'blocks.{layer}.{name}.{kind}'] = np.concatenate([tensors[f'blk.{layer}.{p}.{kind}'] for p in parts])
    model = HaikuNano(config)
    model.load_state_dict({name: torch.from_numpy(value).float() for name, value in weights.items()})
    return model, Tokenizer([tuple(merge.split(' ')) for merge in metadata['tokenizer.ggml.merges']])
