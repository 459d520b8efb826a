#!/bin/sh
# Makes the model again, from the word lists to the files beside package.json: corpus, training, export, reference.
# About an hour on one core of 2023. $PYTHON (python3) needs PyTorch and numpy; Node is the one that pnpm runs.
# A stopped run goes on from its last checkpoint. Arguments are passed on to train.py.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
run=training/run
"$python" -c 'import numpy, torch' || { echo "$python lacks PyTorch or numpy: install them, or set PYTHON" >&2; exit 2; }
[ -e "$run/corpus/shard-031.tsv" ] || node --conditions=source scripts/write-corpus.ts "$run/corpus" 32
"$python" training/train.py --corpus "$run/corpus" --out "$run" "$@"
"$python" training/export_gguf.py --run "$run" --out haiku-nano-q8_0.gguf --type Q8_0
"$python" training/export_gguf.py --run "$run" --out haiku-nano-bf16.gguf --type BF16
"$python" training/record_reference.py --model haiku-nano-q8_0.gguf --out reference
