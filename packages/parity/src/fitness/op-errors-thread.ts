import { serveRings } from '../threads/task-ring.ts'
import { type OpErrorMemory, OpErrorTasks } from './op-error-tasks.ts'

serveRings((memory: OpErrorMemory) => {
  const tasks = new OpErrorTasks(memory, 1)
  return (task) => tasks.compute(task)
})
