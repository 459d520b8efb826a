"""What a recorder states of the model that it ran, in hashes that every engine can compute alike (docs/decisions/0023; in TypeScript:
packages/protocol/src/model-identity.ts).

    recorders/identity.py --model FILE.gguf

prints those of a GGUF as JSON. Needs gguf and numpy.

    recorders/identity.py --model FILE.gguf --amend RECORDING.json ...

states them in recordings that were made before recorders did, or by programs that are not here: if they state the file's sha256, or only
its name. What is stated so is of the file that the engine was given, not of what it made of it; the member `identity_amended` says so.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import gguf
import numpy as np

TEXTS = ('tokens', 'merges')
NUMBERS = {'scores': '<f4', 'token_type': '<i4'}
MEMBERS = (
    *('model', 'pre', 'tokens', 'scores', 'token_type', 'merges'),
    *(f'{name}_token_id' for name in ('bos', 'eos', 'eot', 'eom', 'unknown', 'padding')),
    *('add_bos_token', 'add_eos_token', 'add_space_prefix'),
)


def metadata_of(reader: gguf.GGUFReader) -> dict:
    return {name: field.contents() for name, field in reader.fields.items()}


def weights_fingerprint(tensors: Iterable[tuple[str, np.ndarray]]) -> str:
    """Of (GGUF name, float32 values [..., row length]): see WeightsFingerprint."""
    lines = {}
    for name, values in tensors:
        shape = 'x'.join(str(length) for length in reversed(values.shape))
        lines[name] = f'{shape} {hashlib.sha256(np.ascontiguousarray(values, "<f4").tobytes()).hexdigest()}'
    if lines.get('output.weight') == lines.get('token_embd.weight'):
        lines.pop('output.weight', None)
    return hashlib.sha256(''.join(f'{name} {lines[name]}\n' for name in sorted(lines)).encode()).hexdigest()


def text(value: str) -> bytes:
    encoded = value.encode()
    return b'%d:%s' % (len(encoded), encoded)


def tokenizer_sha256(metadata: dict) -> str:
    size = len(metadata['tokenizer.ggml.tokens'])
    digest = hashlib.sha256()
    for name in MEMBERS:
        value = metadata.get(f'tokenizer.ggml.{name}')
        # Converters write -1, or 2^32 - 1, for "none".
        if value is None or (name.endswith('_id') and not 0 <= value < size):
            continue
        if name in TEXTS:
            written = b'%d[' % len(value) + b''.join(text(entry) for entry in value)
        elif name in NUMBERS:
            # Adding 0 takes the sign from a zero, which JSON loses.
            written = b'%d[' % len(value) + (np.asarray(value, NUMBERS[name]) + 0).astype(NUMBERS[name]).tobytes()
        elif isinstance(value, str):
            written = text(value)
        else:
            written = (str(value).lower() if isinstance(value, (bool, np.bool_)) else str(int(value))).encode()
        digest.update(name.encode() + b'=' + written + b'\n')
    return digest.hexdigest()


def vocabulary_identity(metadata: dict) -> dict[str, str]:
    return {
        'tokenizer_sha256': tokenizer_sha256(metadata),
        'chat_template_sha256': hashlib.sha256(metadata.get('tokenizer.chat_template', '').encode()).hexdigest(),
    }


def model_identity(path: Path) -> dict[str, str]:
    reader = gguf.GGUFReader(path)
    values = ((tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type)) for tensor in reader.tensors)
    return {
        'model_sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'weights_fingerprint': weights_fingerprint(values),
        **vocabulary_identity(metadata_of(reader)),
    }


def amend(path: Path, model: Path, identity: dict[str, str]) -> None:
    """In the text, so that all else stays as it was written."""
    before = path.read_text()
    recording = json.loads(before)
    if 'weights_fingerprint' in recording:
        raise SystemExit(f'{path} states an identity already')
    if recording.get('model_sha256', identity['model_sha256']) != identity['model_sha256'] or recording.get('model_file') != model.name:
        raise SystemExit(f'{path} is of another model than {model}')
    added = {**identity, 'identity_amended': f'by recorders/identity.py, of the file {model.name}'}
    last = 'model_sha256' if 'model_sha256' in recording else 'model_file'
    stated = re.search(rf'\s*"{last}": "[^"]*"', before).group()
    space = stated[: stated.index('"')]
    members = [f'{space}{json.dumps(name)}: {json.dumps(value)}' for name, value in added.items() if name not in recording]
    path.write_text(before.replace(stated, ','.join([stated, *members]), 1))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--amend', type=Path, nargs='+', default=[], metavar='RECORDING.json')
    arguments = parser.parse_args()
    identity = model_identity(arguments.model)
    for recording in arguments.amend:
        amend(recording, arguments.model, identity)
    if not arguments.amend:
        print(json.dumps(identity, indent=1))
