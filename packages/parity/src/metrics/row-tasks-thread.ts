import { workerData } from 'node:worker_threads'
import { serveTasks } from '../threads/task-ring.ts'
import { type RowMemory, RowTasks } from './row-tasks.ts'

const { memory, ring } = workerData as { memory: RowMemory; ring: SharedArrayBuffer }
const tasks = new RowTasks(memory)
serveTasks(ring, (task) => tasks.compute(task))
