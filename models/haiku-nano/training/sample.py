"""Samples from a GGUF with a KV cache, many prompts at a time.

`sample.py --model FILE [--temperature T] [--top-p P] [--seed N]` reads requests (topic, minute word and word, parted by tabs) from
stdin and writes one text a line, as JSON strings, in the order of the requests. scripts/evaluate.ts calls it.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import torch

from corpus import Example
from load_gguf import load_gguf
from model import HaikuNano
from tokenizer import IM_END, Tokenizer


@torch.no_grad()
def sample(
    model: HaikuNano, tokenizer: Tokenizer, requests: list[Example], temperature: float, top_p: float = 1.0, limit: int = 80
) -> list[str]:
    """One text per request, in the order of the requests. Prompts of one length go together, so nothing is padded."""
    by_length = defaultdict(list)
    for index, request in enumerate(requests):
        ids = tokenizer.encode_chat(request.prompt)
        by_length[len(ids)].append((index, ids))
    texts, end = [''] * len(requests), tokenizer.ids[IM_END]
    for group in by_length.values():
        hidden, cache = model.hidden(torch.tensor([ids for _, ids in group]))
        written, done = [], torch.zeros(len(group), dtype=torch.bool)
        for _ in range(limit):
            probabilities = (model.logits(hidden[:, -1]) / max(temperature, 1e-4)).softmax(-1)
            if top_p < 1:
                ordered, order = probabilities.sort(-1, descending=True)
                ordered[ordered.cumsum(-1) - ordered > top_p] = 0
                probabilities = torch.zeros_like(probabilities).scatter(-1, order, ordered)
            token = torch.where(done, end, torch.multinomial(probabilities, 1).squeeze(-1))
            done |= token == end
            if done.all():
                break
            written.append(token)
            hidden, cache = model.hidden(token[:, None], cache)
        for row, (index, _) in enumerate(group):
            texts[index] = tokenizer.decode([int(token[row]) for token in written if token[row] != end])
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--temperature', type=float, default=0.7)
    parser.add_argument('--top-p', type=float, default=1.0)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    model, tokenizer = load_gguf(arguments.model)
    requests = [Example(*line.rstrip('\n').split('\t')) for line in sys.stdin]
    for text in sample(model, tokenizer, requests, arguments.temperature, arguments.top_p):
        print(json.dumps(text))


if __name__ == '__main__':
    main()
