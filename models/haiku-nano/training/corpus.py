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
    haiku: str = ''
    syllables: str = ''
    """of the haiku's words, a digit each"""

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
    counts: Tensor
    """[sequences, positions]: syllables, where a word ends: of the word at the prompt's end, of the line so far in the answer"""


def read_shard(path: Path) -> list[Example]:
    rows = (line.split('\t') for line in path.read_text().splitlines())
    return [Example(topic, minute, word, haiku.replace('/', '\n'), counts) for topic, minute, word, haiku, counts in rows]


@dataclass(frozen=True)
class Sequence:
    prompt: list[int]
    answer: list[int]
    counts: list[int]
    """one for each id of prompt and answer; -1 where no word ends"""


def tokenize(tokenizer: Tokenizer, example: Example, dropout: float) -> Sequence:
    """The word is cut alike in prompt and answer: what has to be learned is to copy it."""
    given = {' ' + example.word: tokenizer.split(' ' + example.word, dropout)} if dropout else None
    prompt = tokenizer.encode_chat(example.prompt, given)
    words = example.haiku.split()
    prompt_counts = [-1] * len(prompt)
    last_of_user = len(prompt) - 1 - prompt[::-1].index(tokenizer.ids[IM_END])
    prompt_counts[last_of_user] = int(example.syllables[words.index(example.word)])
    answer, counts, index = [], [], 0
    for row, line in enumerate(example.haiku.split('\n')):
        so_far = 0
        if row > 0:
            answer += tokenizer.encode('\n')
            counts.append(0)
        for column, word in enumerate(line.split(' ')):
            ids = tokenizer.encode(word if column == 0 else ' ' + word, given)
            so_far += int(example.syllables[index])
            answer += ids
            counts += [-1] * (len(ids) - 1) + [so_far]
            index += 1
    return Sequence(prompt, [*answer, tokenizer.ids[IM_END]], [*prompt_counts, *counts, -1])


def batches(tokenizer: Tokenizer, examples: list[Example], sequences: int, dropout: float, dropout_share: float) -> list[Batch]:
    """Each example once, in batches of about equal lengths, in random order."""
    made = [tokenize(tokenizer, example, dropout if random.random() < dropout_share else 0.0) for example in examples]
    random.shuffle(made)
    made.sort(key=lambda sequence: len(sequence.counts))
    padding, result = tokenizer.ids[IM_END], []
    for start in range(0, len(made), sequences):
        group = made[start : start + sequences]
        length = max(len(sequence.counts) for sequence in group) - 1
        ids = torch.full((len(group), length), padding)
        targets, counts = torch.full_like(ids, -1), torch.full_like(ids, -1)
        for row, sequence in enumerate(group):
            whole = torch.tensor(sequence.prompt + sequence.answer)
            ids[row, : len(whole) - 1] = whole[:-1]
            targets[row, len(sequence.prompt) - 1 : len(whole) - 1] = whole[len(sequence.prompt) :]
            counts[row, : len(whole) - 1] = torch.tensor(sequence.counts[:-1])
        result.append(Batch(ids, targets, counts))
    random.shuffle(result)
    return result
