import { workerData } from 'node:worker_threads'
import { serveTasks } from '../threads/task-ring.ts'
import { type OpErrorMemory, OpErrorTasks } from './op-error-tasks.ts'

const { memory, ring } = workerData as { memory: OpErrorMemory; ring: SharedArrayBuffer }
const tasks = new OpErrorTasks(memory, 1)
serveTasks(ring, (task) => tasks.compute(task))
