"""Trains haiku-nano: `train.py --corpus FOLDER --out FOLDER [--positions N]`.

Beside the next token, a linear reading of the fourth block's output has to tell, wherever a word ends, the syllables of the line so
far (of the word asked for, at the prompt's end) and which of the two words have been used. So counting and keeping book are learned
from every word, not only from where lines end. The reading is not exported. The pieces of the word asked for, after its first,
weigh more in the loss: only one piece is right there, so nothing becomes less likely than it should be.

Matrices are trained by Muon, everything else by AdamW; the rate is constant and falls to zero over the last part of the run
(--decay), so until then --positions may still be changed. SIGTERM saves and ends; the same command goes on from the last
checkpoint. Any checkpoint can be exported (export_gguf.py).
"""

import argparse
import json
import random
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from corpus import batches, read_shard
from model import Config, HaikuNano
from muon import Muon
from tokenizer import SPECIAL, Tokenizer, learn_merges


def optimizers(model: HaikuNano, arguments) -> list[torch.optim.Optimizer]:
    config, stacked, plain, rest = model.config, {'qkv': [], 'gate_up': []}, [], []
    for name, parameter in model.named_parameters():
        if parameter.dim() != 2 or name == 'token_embd.weight':
            rest.append(parameter)
        elif 'attn_qkv' in name:
            stacked['qkv'].append(parameter)
        elif 'ffn_gate_up' in name:
            stacked['gate_up'].append(parameter)
        else:
            plain.append(parameter)
    matrices = [
        {'params': stacked['qkv'], 'parts': [config.width, config.kv_width, config.kv_width]},
        {'params': stacked['gate_up'], 'parts': [config.feed_forward, config.feed_forward]},
        {'params': plain},
    ]
    return [
        Muon(matrices, lr=arguments.muon_rate),
        torch.optim.AdamW(rest, lr=arguments.adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


# Syllables of a line so far, 0 … 7, and four sets of words; the block is one that later blocks, at later positions, can still read.
SYLLABLE_CLASSES, USED_CLASSES, READ_BLOCK = 8, 4, 3


def rate(progress: float, step: int, warmup: int, decay: float) -> float:
    return min(1.0, (step + 1) / warmup, max(0.0, (1 - progress) / decay))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--corpus', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--positions', type=float, default=19e6, help='token positions to train on, prompts included')
    parser.add_argument('--decay', type=float, default=0.75, help='last part of the run in which the rate falls to zero')
    parser.add_argument('--warmup', type=int, default=100)
    parser.add_argument('--sequences', type=int, default=64, help='haiku per batch')
    parser.add_argument('--muon-rate', type=float, default=0.02)
    parser.add_argument('--adam-rate', type=float, default=0.003)
    parser.add_argument('--dropout', type=float, default=0.15, help="BPE-dropout of the word's pieces")
    parser.add_argument('--dropout-share', type=float, default=0.4, help='share of haiku with BPE-dropout')
    parser.add_argument('--reading-weight', type=float, default=0.2, help='of the loss of telling syllables and used words')
    parser.add_argument('--copy-weight', type=float, default=2.0, help='of the pieces of the word asked for, after its first')
    parser.add_argument('--checkpoint-minutes', type=float, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    arguments.out.mkdir(parents=True, exist_ok=True)
    shards = sorted(arguments.corpus.glob('shard-*.tsv'))
    if not shards:
        sys.exit(f'no shard-*.tsv in {arguments.corpus}: write the corpus first (scripts/write-corpus.ts)')

    config = Config()
    merges = arguments.out / 'merges.json'
    if not merges.exists():
        texts = [f'{example.prompt}\n{example.haiku}' for path in shards[:4] for example in read_shard(path)]
        Tokenizer(learn_merges([*texts, 'user\nassistant\n'], config.vocabulary - 256 - len(SPECIAL))).save(str(merges))
    tokenizer = Tokenizer.load(str(merges))

    model = HaikuNano(config).to(arguments.device)
    reader = nn.Linear(config.width, SYLLABLE_CLASSES + USED_CLASSES).to(arguments.device)
    every = [*optimizers(model, arguments), torch.optim.AdamW(reader.parameters(), lr=arguments.adam_rate)]
    initial = [[group['lr'] for group in optimizer.param_groups] for optimizer in every]
    checkpoint, state = arguments.out / 'checkpoint.pt', {'shard': 0, 'batch': 0, 'step': 0, 'positions': 0, 'seconds': 0.0}
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=arguments.device)
        model.load_state_dict(saved['model'])
        reader.load_state_dict(saved['reader'])
        for optimizer, values in zip(every, saved['optimizers']):
            optimizer.load_state_dict(values)
        state = saved['state']

    def save() -> None:
        temporary = checkpoint.with_suffix('.tmp')
        optimizer_states = [optimizer.state_dict() for optimizer in every]
        torch.save(
            {'model': model.state_dict(), 'reader': reader.state_dict(), 'optimizers': optimizer_states, 'state': state}, temporary
        )
        temporary.replace(checkpoint)

    log = (arguments.out / 'log.jsonl').open('a')
    reduced = torch.autocast(arguments.device, dtype=torch.bfloat16)
    stopped = False

    def stop(*_) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    start, saved_at, losses = time.time() - state['seconds'], time.time(), []
    while not stopped and state['positions'] < arguments.positions:
        if state['shard'] >= len(shards):
            print('the corpus is used up: write more shards', file=sys.stderr)
            break
        random.seed(state['shard'])
        examples = read_shard(shards[state['shard']])
        in_order = batches(tokenizer, examples, arguments.sequences, arguments.dropout, arguments.dropout_share)
        for batch in in_order[state['batch'] :]:
            factor = rate(state['positions'] / arguments.positions, state['step'], arguments.warmup, arguments.decay)
            for optimizer, rates in zip(every, initial):
                for group, value in zip(optimizer.param_groups, rates):
                    group['lr'] = value * factor
            ids, targets, counts, used, copied = (getattr(batch, field.name).to(arguments.device) for field in fields(batch))
            answer, ending, outputs = targets >= 0, counts >= 0, []
            with reduced:
                hidden, _ = model.hidden(ids, outputs=outputs)
                logits = model.logits(hidden[answer])
                read = reader(F.layer_norm(outputs[READ_BLOCK][ending], (config.width,))).float()
            each = F.cross_entropy(logits.float(), targets[answer], reduction='none')
            weights = 1 + (arguments.copy_weight - 1) * copied[answer]
            read_loss = F.cross_entropy(read[:, :SYLLABLE_CLASSES], counts[ending])
            read_loss = read_loss + F.cross_entropy(read[:, SYLLABLE_CLASSES:], used[ending], ignore_index=-1)
            ((each * weights).sum() / weights.sum() + arguments.reading_weight * read_loss).backward()
            for optimizer in every:
                optimizer.step()
                optimizer.zero_grad()
            losses.append((each.mean().item(), each[copied[answer]].mean().item(), read_loss.item()))
            state['step'] += 1
            state['batch'] += 1
            state['positions'] += ids.numel()
            state['seconds'] = time.time() - start
            if state['step'] % 50 == 0:
                mean, copy_mean, read_mean = (round(sum(column) / len(losses), 4) for column in zip(*losses))
                log.write(json.dumps({**state, 'loss': mean, 'copy_loss': copy_mean, 'reading_loss': read_mean, 'rate': round(factor, 4)}) + '\n')
                log.flush()
                losses = []
            if time.time() - saved_at > 60 * arguments.checkpoint_minutes:
                save()
                saved_at = time.time()
            if stopped or state['positions'] >= arguments.positions:
                break
        else:
            state['shard'], state['batch'] = state['shard'] + 1, 0
    save()


if __name__ == '__main__':
    main()
