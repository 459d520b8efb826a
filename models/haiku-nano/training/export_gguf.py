"""Makes a GGUF of a checkpoint: `export_gguf.py --run FOLDER --out FILE [--type Q8_0|BF16|F32]`."""

import argparse
from pathlib import Path

import numpy as np
import torch

from gguf_file import TYPES, Int32Array, Metadata, TensorType, Uint32, write_gguf
from model import Config, HaikuNano
from tokenizer import CHAT_TEMPLATE, ENDOFTEXT, IM_END, SPECIAL, Tokenizer

NORMAL_TOKEN, CONTROL_TOKEN = 1, 3


def metadata(config: Config, tokenizer: Tokenizer, kind: TensorType) -> Metadata:
    """The keys that llama.cpp writes for Qwen2."""
    return {
        'general.architecture': 'qwen2',
        'general.type': 'model',
        'general.name': 'Haiku Nano',
        'general.basename': 'haiku-nano',
        'general.description': 'Writes a haiku that holds the words it is asked for',
        'general.license': 'apache-2.0',
        'general.languages': ['en'],
        'general.file_type': Uint32(kind.file_type),
        'general.quantization_version': Uint32(2),
        'qwen2.block_count': Uint32(config.layers),
        'qwen2.context_length': Uint32(config.context),
        'qwen2.embedding_length': Uint32(config.width),
        'qwen2.feed_forward_length': Uint32(config.feed_forward),
        'qwen2.attention.head_count': Uint32(config.heads),
        'qwen2.attention.head_count_kv': Uint32(config.kv_heads),
        'qwen2.attention.layer_norm_rms_epsilon': config.epsilon,
        'qwen2.rope.freq_base': config.rope_theta,
        'qwen2.vocab_size': Uint32(config.vocabulary),
        'tokenizer.ggml.model': 'gpt2',
        'tokenizer.ggml.pre': 'qwen2',
        'tokenizer.ggml.tokens': tokenizer.tokens,
        'tokenizer.ggml.token_type': Int32Array(
            [CONTROL_TOKEN if token in SPECIAL else NORMAL_TOKEN for token in tokenizer.tokens]
        ),
        'tokenizer.ggml.merges': [f'{first} {second}' for first, second in tokenizer.merges],
        'tokenizer.ggml.eos_token_id': Uint32(tokenizer.ids[IM_END]),
        'tokenizer.ggml.padding_token_id': Uint32(tokenizer.ids[ENDOFTEXT]),
        'tokenizer.ggml.bos_token_id': Uint32(tokenizer.ids[ENDOFTEXT]),
        'tokenizer.ggml.add_bos_token': False,
        'tokenizer.chat_template': CHAT_TEMPLATE,
    }


def tensors(model: HaikuNano) -> dict[str, np.ndarray]:
    """GGUF's names; q, k, v and gate, up are cut apart. There is no output.weight: the head is tied to token_embd."""
    config = model.config
    weights = {name: value.detach().float().cpu().numpy() for name, value in model.state_dict().items()}
    named = {'token_embd.weight': weights['token_embd.weight'], 'output_norm.weight': weights['output_norm.weight']}
    rows_of_v = config.width + config.kv_width
    for layer in range(config.layers):
        source, block = f'blocks.{layer}', f'blk.{layer}'
        named[f'{block}.attn_norm.weight'] = weights[f'{source}.attn_norm.weight']
        for kind in ('weight', 'bias'):
            parts = np.split(weights[f'{source}.attn_qkv.{kind}'], [config.width, rows_of_v])
            for name, part in zip(('attn_q', 'attn_k', 'attn_v'), parts):
                named[f'{block}.{name}.{kind}'] = part
        named[f'{block}.attn_output.weight'] = weights[f'{source}.attn_output.weight']
        named[f'{block}.ffn_norm.weight'] = weights[f'{source}.ffn_norm.weight']
        gate, up = np.split(weights[f'{source}.ffn_gate_up.weight'], 2)
        named |= {f'{block}.ffn_gate.weight': gate, f'{block}.ffn_up.weight': up}
        named[f'{block}.ffn_down.weight'] = weights[f'{source}.ffn_down.weight']
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--run', type=Path, required=True, help='the folder with checkpoint.pt and merges.json')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--type', choices=TYPES, default='Q8_0')
    arguments = parser.parse_args()
    model, kind = HaikuNano(Config()), TYPES[arguments.type]
    model.load_state_dict(torch.load(arguments.run / 'checkpoint.pt', map_location='cpu')['model'])
    tokenizer = Tokenizer.load(str(arguments.run / 'merges.json'))
    write_gguf(arguments.out, metadata(model.config, tokenizer, kind), tensors(model), kind)


if __name__ == '__main__':
    main()
