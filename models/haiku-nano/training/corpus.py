"""Reads the corpus that scripts/write-corpus.ts wrote, and makes batches of it."""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tokenizer import IM_END, Tokenizer


@dataclass(frozen=True)
class Example:
    topic: str
    minute_word: str
    word: str
    haiku: str

    @property
    def prompt(self) -> str:
        """The same as haikuPrompt in src/prompt.ts; a test holds them together."""
        return f'Haiku about {self.topic} with {self.minute_word} and {self.word}'


@dataclass(frozen=True)
class Batch:
    ids: Tensor
    """[sequences, positions], padded on the right"""
    targets: Tensor
    """[sequences, positions]: the next id where it is part of the answer, elsewhere -1"""


def read_shard(path: Path) -> list[Example]:
    rows = (line.split('\t') for line in path.read_text().splitlines())
    return [Example(topic, minute, word, haiku.replace('/', '\n')) for topic, minute, word, haiku in rows]


def tokenize(tokenizer: Tokenizer, example: Example, dropout: float) -> tuple[list[int], list[int]]:
    """The prompt's and the answer's ids. The word is cut alike in both: what has to be learned is to copy it."""
    given = {' ' + example.word: tokenizer.split(' ' + example.word, dropout)} if dropout else None
    answer = tokenizer.encode(example.haiku, given) + [tokenizer.ids[IM_END]]
    return tokenizer.encode_chat(example.prompt, given), answer


def batches(tokenizer: Tokenizer, examples: list[Example], sequences: int, dropout: float, dropout_share: float) -> list[Batch]:
    """Each example once, in batches of about equal lengths, in random order."""
    pairs = [tokenize(tokenizer, example, dropout if random.random() < dropout_share else 0.0) for example in examples]
    random.shuffle(pairs)
    pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
    padding, result = tokenizer.ids[IM_END], []
    for start in range(0, len(pairs), sequences):
        group = pairs[start : start + sequences]
        length = max(len(prompt) + len(answer) for prompt, answer in group) - 1
        ids = torch.full((len(group), length), padding)
        targets = torch.full((len(group), length), -1)
        for row, (prompt, answer) in enumerate(group):
            whole = torch.tensor(prompt + answer)
            ids[row, : len(whole) - 1] = whole[:-1]
            targets[row, len(prompt) - 1 : len(whole) - 1] = whole[len(prompt) :]
        result.append(Batch(ids, targets))
    random.shuffle(result)
    return result
