import { workerData } from 'node:worker_threads'
import { computeIfQueued, type SharedBlocks, viewBlocks } from './shared-blocks.ts'

// Computes whatever block is queued, until it is told to end.
const shared = workerData as SharedBlocks
const ticket = new Int32Array(shared.ticket)
const blocks = viewBlocks(shared)
for (let seen = Atomics.load(ticket, 0); seen !== -1; seen = Atomics.load(ticket, 0)) {
  const found = blocks.filter(computeIfQueued).length > 0
  if (!found) Atomics.wait(ticket, 0, seen)
}
