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
    used: Tensor
    """[sequences, positions]: where a word of the answer ends, which words have been used: 1 the minute word + 2 the word"""
    copied: Tensor
    """[sequences, positions]: whether the target is a piece of the word asked for, after its first: where nothing is left to choose"""


def read_shard(path: Path) -> list[Example]:
    rows = (line.split('\t') for line in path.read_text().splitlines())
    return [Example(topic, minute, word, haiku.replace('/', '\n'), counts) for topic, minute, word, haiku, counts in rows]


@dataclass(frozen=True)
class Sequence:
    prompt: list[int]
    answer: list[int]
    counts: list[int]
    used: list[int]
    """both one for each id of prompt and answer; -1 where no word ends"""
    copied: list[bool]
    """one for each id of prompt and answer"""


def tokenize(tokenizer: Tokenizer, example: Example, dropout: float) -> Sequence:
    """The word is cut alike in prompt and answer: what has to be learned is to copy it."""
    given = {' ' + example.word: tokenizer.split(' ' + example.word, dropout)} if dropout else None
    prompt = tokenizer.encode_chat(example.prompt, given)
    words = example.haiku.split()
    prompt_counts = [-1] * len(prompt)
    last_of_user = len(prompt) - 1 - prompt[::-1].index(tokenizer.ids[IM_END])
    prompt_counts[last_of_user] = int(example.syllables[words.index(example.word)])
    answer, counts, used, copied = [], [], [], []

    def add(ids: list[int], syllables: int, is_word: bool = False) -> None:
        answer.extend(ids)
        counts.extend([-1] * (len(ids) - 1) + [syllables])
        used.extend([-1] * (len(ids) - 1) + [seen])
        copied.extend([False] + [is_word] * (len(ids) - 1))

    seen, index = 0, 0
    for row, line in enumerate(example.haiku.split('\n')):
        so_far = 0
        if row > 0:
            add(tokenizer.encode('\n'), so_far)
        for column, word in enumerate(line.split(' ')):
            seen |= (word == example.minute_word) + 2 * (word == example.word)
            so_far += int(example.syllables[index])
            add(tokenizer.encode(word if column == 0 else ' ' + word, given), so_far, word == example.word)
            index += 1
    none, end = [-1] * len(prompt), tokenizer.ids[IM_END]
    return Sequence(
        prompt, [*answer, end], [*prompt_counts, *counts, -1], [*none, *used, -1], [*(False for _ in none), *copied, False]
    )


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
        targets, counts, used = (torch.full_like(ids, -1) for _ in range(3))
        copied = torch.zeros_like(ids, dtype=torch.bool)
        for row, sequence in enumerate(group):
            whole = torch.tensor(sequence.prompt + sequence.answer)
            ids[row, : len(whole) - 1] = whole[:-1]
            targets[row, len(sequence.prompt) - 1 : len(whole) - 1] = whole[len(sequence.prompt) :]
            counts[row, : len(whole) - 1] = torch.tensor(sequence.counts[:-1])
            used[row, : len(whole) - 1] = torch.tensor(sequence.used[:-1])
            copied[row, : len(whole) - 1] = torch.tensor(sequence.copied[1:])
        result.append(Batch(ids, targets, counts, used, copied))
    random.shuffle(result)
    return result
