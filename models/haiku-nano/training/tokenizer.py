"""Byte-level BPE (Sennrich et al. 2016; GPT-2's byte alphabet), learned from the corpus, with Qwen2's pre-tokenizer.

The corpus is ASCII, so Qwen2's regular expression is written for ASCII here; on ASCII text both part alike.
"""

import json
import random
import re
from collections import Counter

ENDOFTEXT, IM_START, IM_END = '<|endoftext|>', '<|im_start|>', '<|im_end|>'
SPECIAL = (ENDOFTEXT, IM_START, IM_END)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PRE_TOKENS = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_alphabet() -> dict[int, str]:
    """GPT-2's bytes_to_unicode: a visible character for every byte."""
    visible = [*range(ord('!'), ord('~') + 1), *range(ord('¡'), ord('¬') + 1), *range(ord('®'), ord('ÿ') + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + index) for index, byte in enumerate(hidden)}


BYTES = byte_alphabet()


def spelled(text: str) -> tuple[str, ...]:
    return tuple(BYTES[byte] for byte in text.encode())


def merged(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    result, index = [], 0
    while index < len(parts):
        if parts[index : index + 2] == pair:
            result.append(parts[index] + parts[index + 1])
            index += 2
        else:
            result.append(parts[index])
            index += 1
    return tuple(result)


def learn_merges(texts: list[str], count: int) -> list[tuple[str, str]]:
    """The `count` most frequent pairs, one after the other; ties go to the first in alphabetical order."""
    words = Counter(piece for text in texts for piece in PRE_TOKENS.findall(text))
    parts = {word: spelled(word) for word in words}
    pairs, holders = Counter(), {}
    for word, split in parts.items():
        for pair in zip(split, split[1:]):
            pairs[pair] += words[word]
            holders.setdefault(pair, set()).add(word)
    merges = []
    while len(merges) < count:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word in list(holders[best]):
            for pair in zip(parts[word], parts[word][1:]):
                pairs[pair] -= words[word]
                holders[pair].discard(word)
            parts[word] = merged(parts[word], best)
            for pair in zip(parts[word], parts[word][1:]):
                pairs[pair] += words[word]
                holders.setdefault(pair, set()).add(word)
        del pairs[best]
    return merges


class Tokenizer:
    def __init__(self, merges: list[tuple[str, str]]):
        self.merges = merges
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.tokens = [BYTES[byte] for byte in range(256)] + [first + second for first, second in merges] + list(SPECIAL)
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        self.cache: dict[str, list[int]] = {}
        self.bytes = {character: byte for byte, character in BYTES.items()}

    @staticmethod
    def load(path: str) -> 'Tokenizer':
        with open(path, encoding='utf-8') as file:
            return Tokenizer([tuple(pair) for pair in json.load(file)])

    def save(self, path: str) -> None:
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(self.merges, file, ensure_ascii=False, indent=0)

    def split(self, piece: str, dropout: float = 0.0) -> list[int]:
        """One pre-token's ids. BPE-dropout (Provilkov et al. 2020): each possible merge is left out with that probability."""
        if not dropout and piece in self.cache:
            return self.cache[piece]
        parts = spelled(piece)
        while len(parts) > 1:
            possible = [
                pair for pair in zip(parts, parts[1:]) if pair in self.ranks and not (dropout and random.random() < dropout)
            ]
            if not possible:
                break
            parts = merged(parts, min(possible, key=self.ranks.__getitem__))
        ids = [self.ids[part] for part in parts]
        if not dropout:
            self.cache[piece] = ids
        return ids

    def encode(self, text: str, given: dict[str, list[int]] | None = None) -> list[int]:
        """Plain text to ids; `given` says for some pre-tokens which ids they are to have."""
        ids: list[int] = []
        for piece in PRE_TOKENS.findall(text):
            ids += given[piece] if given and piece in given else self.split(piece)
        return ids

    def encode_chat(self, prompt: str, given: dict[str, list[int]] | None = None) -> list[int]:
        """What CHAT_TEMPLATE makes of one user message, with the generation prompt."""
        start, end = self.ids[IM_START], self.ids[IM_END]
        user, assistant = self.encode('user\n'), self.encode('assistant\n')
        return [start, *user, *self.encode(prompt, given), end, *self.encode('\n'), start, *assistant]

    def decode(self, ids: list[int]) -> str:
        text = ''.join(self.tokens[index] for index in ids if index < len(self.tokens) - len(SPECIAL))
        return bytes(self.bytes[character] for character in text).decode(errors='replace')
