"""The model: Qwen2 as Hugging Face's modeling_qwen2.py defines it, at the size of haiku-nano.

q, k and v are one matrix here, and so are gate and up: fewer, larger products train faster. They are cut apart for the GGUF.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    vocabulary: int = 1024
    width: int = 192
    layers: int = 6
    heads: int = 6
    kv_heads: int = 2
    feed_forward: int = 512
    context: int = 2048
    rope_theta: float = 10000.0
    epsilon: float = 1e-6

    @property
    def head_size(self) -> int:
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_size


class RMSNorm(nn.Module):
    """Zhang and Sennrich 2019: x / rms(x) * weight."""

    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rope_table(config: Config, positions: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """cos and sin, each [positions, head_size]; pairs are (i, i + head_size / 2)."""
    half = config.head_size // 2
    frequency = config.rope_theta ** (-torch.arange(half, dtype=torch.float64, device=positions.device) / half)
    angle = positions.to(torch.float64)[:, None] * frequency
    angle = torch.cat((angle, angle), -1)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Block(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.attn_norm = RMSNorm(config.width, config.epsilon)
        self.attn_qkv = nn.Linear(config.width, config.width + 2 * config.kv_width)
        self.attn_output = nn.Linear(config.width, config.width, bias=False)
        self.ffn_norm = RMSNorm(config.width, config.epsilon)
        self.ffn_gate_up = nn.Linear(config.width, 2 * config.feed_forward, bias=False)
        self.ffn_down = nn.Linear(config.feed_forward, config.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, cache: tuple[Tensor, Tensor] | None):
        """x [batch, positions, width]; returns the same and the (k, v) so far, [batch, kv_heads, positions, head_size]."""
        config, (batch, length, _) = self.config, x.shape
        q, k, v = (
            part.view(batch, length, -1, config.head_size).transpose(1, 2)
            for part in self.attn_qkv(self.attn_norm(x)).split((config.width, config.kv_width, config.kv_width), -1)
        )
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            k, v = torch.cat((cache[0], k), 2), torch.cat((cache[1], v), 2)
        # The queries that share one key/value head stand in one matrix: no copy of k and v per query head.
        group = config.heads // config.kv_heads
        q = q.reshape(batch, config.kv_heads, group * length, config.head_size)
        scores = (q @ k.transpose(2, 3)).view(batch, config.kv_heads, group, length, -1) * config.head_size**-0.5
        weights = (scores + mask).softmax(-1).view(batch, config.kv_heads, group * length, -1)
        attended = (weights @ v).view(batch, config.heads, length, config.head_size).transpose(1, 2)
        x = x + self.attn_output(attended.reshape(batch, length, config.width))
        gate, up = self.ffn_gate_up(self.ffn_norm(x)).chunk(2, -1)
        return x + self.ffn_down(F.silu(gate) * up), (k, v)


class HaikuNano(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.token_embd = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.output_norm = RMSNorm(config.width, config.epsilon)
        nn.init.normal_(self.token_embd.weight, std=0.02)
        for name, parameter in self.named_parameters():
            if name.endswith('bias'):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2 and name != 'token_embd.weight':
                residual = 'attn_output' in name or 'ffn_down' in name
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5 / ((2 * config.layers) ** 0.5 if residual else 1))

    def hidden(self, ids: Tensor, cache: list | None = None, outputs: list | None = None) -> tuple[Tensor, list]:
        """ids [batch, positions] -> the output norm's result [batch, positions, width], and the cache with these positions.

        Each block's output is added to `outputs`, if given.
        """
        length, past = ids.shape[1], 0 if cache is None else cache[0][0].shape[2]
        cos, sin = rope_table(self.config, torch.arange(past, past + length, device=ids.device), self.token_embd.weight.dtype)
        mask = torch.full((length, past + length), -torch.inf, device=ids.device).triu(1 + past)
        x, grown = self.token_embd(ids), []
        for index, block in enumerate(self.blocks):
            x, keys_values = block(x, cos, sin, mask, None if cache is None else cache[index])
            grown.append(keys_values)
            if outputs is not None:
                outputs.append(x)
        return self.output_norm(x), grown

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.token_embd.weight)
