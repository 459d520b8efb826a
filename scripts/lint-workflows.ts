// Checks every workflow under .github/workflows (check-workflow.ts).
import { readdirSync, readFileSync } from 'node:fs'
import { checkWorkflow } from './check-workflow.ts'

const folder = new URL('../.github/workflows/', import.meta.url)
const files = readdirSync(folder).filter((name) => /[.]ya?ml$/.test(name))
let problems = 0
for (const file of files) {
  for (const { line, column, message } of checkWorkflow(readFileSync(new URL(file, folder), 'utf8'), file)) {
    problems++
    console.error(`.github/workflows/${file}:${line}:${column} ${message}`)
  }
}
console.log(`${files.length} workflows checked, ${problems} problems`)
process.exitCode = problems === 0 && files.length > 0 ? 0 : 1
