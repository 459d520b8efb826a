import { workerData } from 'node:worker_threads'
import { BlockSums, viewBlocks } from './shared-blocks.ts'

// Computes whatever block is queued, until it is told to end.
const { memory, ticket: shared } = workerData as { memory: WebAssembly.Memory; ticket: SharedArrayBuffer }
const ticket = new Int32Array(shared)
const sums = new BlockSums(memory)
const blocks = viewBlocks(memory)
for (let seen = Atomics.load(ticket, 0); seen !== -1; seen = Atomics.load(ticket, 0)) {
  const found = blocks.filter((block) => sums.computeIfQueued(block)).length > 0
  if (!found) Atomics.wait(ticket, 0, seen)
}
