import { workerData } from 'node:worker_threads'
import { serveTasks } from '../threads/task-ring.ts'
import { type NumberMemory, NumberTasks } from './number-tasks.ts'

const { memory, ring } = workerData as { memory: NumberMemory; ring: SharedArrayBuffer }
const tasks = new NumberTasks(memory, 1)
serveTasks(ring, (task) => tasks.compute(task))
