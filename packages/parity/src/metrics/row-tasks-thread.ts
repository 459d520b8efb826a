import { serveRings } from '../threads/task-ring.ts'
import { type RowMemory, RowTasks } from './row-tasks.ts'

serveRings((memory: RowMemory) => {
  const tasks = new RowTasks(memory)
  return (task) => tasks.compute(task)
})
