"""Records what Hugging Face Transformers makes of a GGUF, op by op, in float64 throughout:

    recorders/transformers.py --model FILE.gguf --prompt-token-ids 1,2,3 --out FOLDER/prompt-0 [--greedy 48]

FOLDER/prompt-0.safetensors holds every checkpoint, [tokens, width], as float32; prompt-0.json what was run, the greedy continuation,
and how far the first logit was ahead of the second at each of its steps. The weights fingerprint is of what the model was loaded with, its
tokenizer and template are the file's (ids are given, so they are not run). The weights are dequantised by gguf-py. For architecture
llama the rows of q and k are in Transformers' order (halves); the GGUF has neighbour pairs.

Needs torch, transformers, gguf and safetensors; `versions` in the JSON says with which ones it was made.
"""

import argparse
import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder: the file has the name of the package that it imports

import gguf
import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

sys.path.append(str(Path(__file__).parent))
sys.dont_write_bytecode = True  # this folder holds what is listed
from identity import metadata_of, vocabulary_identity, weights_fingerprint

MODULES = {'llama': modeling_llama, 'qwen2': modeling_qwen2}
CONFIGS = {'llama': LlamaConfig, 'qwen2': Qwen2Config}
# Transformers' name for each of GGUF's tensors.
OF_MODEL = {'token_embd': 'model.embed_tokens', 'output_norm': 'model.norm', 'output': 'lm_head'}
# Of a layer: Transformers' name for each of GGUF's tensors.
OF_LAYER = {
    'attn_norm': 'input_layernorm',
    'attn_q': 'self_attn.q_proj',
    'attn_k': 'self_attn.k_proj',
    'attn_v': 'self_attn.v_proj',
    'attn_output': 'self_attn.o_proj',
    'ffn_norm': 'post_attention_layernorm',
    'ffn_gate': 'mlp.gate_proj',
    'ffn_up': 'mlp.up_proj',
    'ffn_down': 'mlp.down_proj',
}


def float64_throughout() -> None:
    """Norms, rotary angles and softmax ask for float32 by name; here that name means float64."""
    torch.set_default_dtype(torch.float64)
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double


def halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a head from GGUF's neighbour pairs (0, 1, 2, ...) to Transformers' halves (0, 2, ..., 1, 3, ...)."""
    size = weight.shape[0] // heads
    return weight.reshape(heads, size // 2, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def neighbours(weight: np.ndarray, heads: int) -> np.ndarray:
    """The other way round."""
    size = weight.shape[0] // heads
    return weight.reshape(heads, 2, size // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def state_dict(reader: gguf.GGUFReader, architecture: str, heads: dict[str, int]) -> dict[str, torch.Tensor]:
    state = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
        stem, kind = tensor.name.rsplit('.', 1)
        if stem.startswith('blk.'):
            _, layer, name = stem.split('.')
            if architecture == 'llama' and name in heads:
                values = halves(values, heads[name])
            target = f'model.layers.{layer}.{OF_LAYER[name]}'
        else:
            target = OF_MODEL[stem]
        state[f'{target}.{kind}'] = torch.from_numpy(values.copy())
    return state


def loaded_tensors(model: torch.nn.Module, architecture: str):
    """What the model computes with, under GGUF's names and in GGUF's order."""
    heads = {'attn_q': model.config.num_attention_heads, 'attn_k': model.config.num_key_value_heads}
    names = {ours: stem for stem, ours in OF_MODEL.items()}
    for index in range(model.config.num_hidden_layers):
        names |= {f'model.layers.{index}.{ours}': f'blk.{index}.{name}' for name, ours in OF_LAYER.items()}
    for target, tensor in model.state_dict().items():
        ours, kind = target.rsplit('.', 1)
        values = tensor.numpy()
        name = names[ours].split('.')[-1]
        if architecture == 'llama' and name in heads:
            values = neighbours(values, heads[name])
        yield f'{names[ours]}.{kind}', values.astype(np.float32)


def load(path: Path) -> tuple[torch.nn.Module, dict]:
    reader = gguf.GGUFReader(path)
    metadata = metadata_of(reader)
    architecture = metadata['general.architecture']
    of = lambda name, fallback=None: metadata.get(f'{architecture}.{name}', fallback)
    heads = of('attention.head_count')
    kv_heads = of('attention.head_count_kv', heads)
    state = state_dict(reader, architecture, {'attn_q': heads, 'attn_k': kv_heads})
    config = CONFIGS[architecture](
        vocab_size=state['model.embed_tokens.weight'].shape[0],
        hidden_size=of('embedding_length'),
        intermediate_size=of('feed_forward_length'),
        num_hidden_layers=of('block_count'),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=of('context_length'),
        rms_norm_eps=of('attention.layer_norm_rms_epsilon'),
        rope_parameters={'rope_type': 'default', 'rope_theta': of('rope.freq_base', 10000.0)},
        tie_word_embeddings='lm_head.weight' not in state,
        attn_implementation='eager',
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float64)
    if config.tie_word_embeddings:
        state['lm_head.weight'] = state['model.embed_tokens.weight']
    model.load_state_dict(state, strict=True)
    return model.eval(), metadata


def watch(model: torch.nn.Module, module, seen: dict[str, torch.Tensor]) -> None:
    """Puts every checkpoint of a forward pass into `seen`, by its name in a trace."""

    def see(name: str, value: torch.Tensor) -> None:
        seen[name] = value[0]

    def after(target: torch.nn.Module, name: str) -> None:
        target.register_forward_hook(lambda _module, _inputs, out: see(name, out[0] if isinstance(out, tuple) else out))

    def before(target: torch.nn.Module, name: str) -> None:
        target.register_forward_pre_hook(lambda _module, inputs: see(name, inputs[0]))

    after(model.model.embed_tokens, 'token_embd')
    for index, layer in enumerate(model.model.layers):
        for name, path in OF_LAYER.items():
            after(layer.get_submodule(path), f'blk.{index}.{name}')
        before(layer.self_attn.o_proj, f'blk.{index}.attn_kqv')
        before(layer.post_attention_layernorm, f'blk.{index}.ffn_input')
        before(layer.mlp.down_proj, f'blk.{index}.ffn_act')
        after(layer, f'blk.{index}.output')
    after(model.model.norm, 'output_norm')
    after(model.lm_head, 'logits')

    rotate = module.apply_rotary_pos_emb

    def rotate_and_see(q, k, *rest, **more):
        layer = sum(name.endswith('.attn_q_rope') for name in seen)
        rotated = rotate(q, k, *rest, **more)
        for name, value in zip(('attn_q_rope', 'attn_k_rope'), rotated):
            # [batch, heads, tokens, size] to [batch, tokens, heads * size]
            see(f'blk.{layer}.{name}', value.transpose(1, 2).flatten(2))
        return rotated

    module.apply_rotary_pos_emb = rotate_and_see


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--prompt-token-ids', required=True)
    parser.add_argument('--out', type=Path, required=True, help='without an ending')
    parser.add_argument('--greedy', type=int, default=48)
    arguments = parser.parse_args()
    ids = [int(token) for token in arguments.prompt_token_ids.split(',')]
    float64_throughout()
    model, metadata = load(arguments.model)
    architecture = metadata['general.architecture']
    end = metadata.get('tokenizer.ggml.eos_token_id')

    greedy, gaps = [], []
    while len(greedy) < arguments.greedy and (not greedy or greedy[-1] != end):
        logits = model(torch.tensor([ids + greedy]), use_cache=False).logits[0, -1]
        values, tokens = logits.topk(2)
        greedy.append(int(tokens[0]))
        gaps.append(round(float(values[0] - values[1]), 6))

    seen: dict[str, torch.Tensor] = {}
    watch(model, MODULES[architecture], seen)
    model(torch.tensor([ids]), use_cache=False)
    assert all(value.dtype == torch.float64 for value in seen.values())
    arrays = {name: value.numpy().astype(np.float32) for name, value in seen.items()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, arguments.out.with_suffix('.safetensors'))
    record = {
        'engine': 'transformers',
        'version': transformers.__version__,
        'versions': {'torch': torch.__version__, 'gguf': version('gguf'), 'numpy': np.__version__},
        'dtype': 'float64',
        'model_file': arguments.model.name,
        'model_sha256': hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        'weights_fingerprint': weights_fingerprint(loaded_tensors(model, architecture)),
        **vocabulary_identity(metadata),
        'architecture': architecture,
        'ids': ids,
        'greedy': greedy,
        'greedy_top1_top2_gap': gaps,
        'checkpoints': {name: list(values.shape) for name, values in arrays.items()},
    }
    arguments.out.with_suffix('.json').write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    main()
