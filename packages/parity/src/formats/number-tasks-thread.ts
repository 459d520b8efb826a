import { serveRings } from '../threads/task-ring.ts'
import { type NumberMemory, NumberTasks } from './number-tasks.ts'

serveRings((memory: NumberMemory) => {
  const tasks = new NumberTasks(memory, 1)
  return (task) => tasks.compute(task)
})
