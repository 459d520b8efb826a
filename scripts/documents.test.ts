import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

// What the documents point at is there, so that a reader who follows them is not sent astray.

const root = fileURLToPath(new URL('..', import.meta.url))
const files = globSync(['**', '.*'], {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist|build|artifacts|[.]git|[.]turbo)$/.test(path),
})
const read = (path: string) => readFileSync(join(root, path), 'utf8')

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md')

  test('every file that it names exists, with every call that it names beside one', () => {
    const wrong: string[] = []
    for (const line of text.split('\n')) {
      let named: string[] = []
      for (const [, code] of line.matchAll(/`([^`]+)`/g)) {
        if (/^[\w./*-]+([.](ts|cpp|h|mjs)|\/)$/.test(code!)) {
          const pattern = new RegExp(
            `(^|/)${code!.replaceAll('.', '[.]').replaceAll('*', '[^/]*')}${code!.endsWith('/') ? '' : '$'}`,
          )
          named = files.filter((file) => pattern.test(file))
          if (named.length === 0) wrong.push(code!)
        } else if (/[(]/.test(code!) && named.length > 0) {
          const call = code!.replace(/(…)?[)]$/, '')
          if (!named.some((file) => /[.](ts|cpp|h)$/.test(file) && read(file).includes(call)))
            wrong.push(`${named[0]}: ${code}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('it has the line where a token leaves the sampler, and the one where it reaches the socket', () => {
    const row = (step: string) => text.split('\n').find((line) => line.includes(`**${step}**`))
    expect(row('a token leaves the sampler')).toContain('`sampler.sample(logits, history_, index)`')
    expect(row('a token reaches the socket')).toContain('`this.#response.write(frames)`')
  })
})

test.each(globSync(['*.md', 'docs/**/*.md', '{packages,models}/*/*.md'], { cwd: root }))(
  'the links of %s lead somewhere',
  (document) => {
    const links = [...read(document).matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => link!)
    const missing = links
      .filter((link) => !/^https?:/.test(link))
      .map((link) => normalize(join(dirname(document), link)).replace(/\/$/, ''))
      .filter((path) => !files.includes(path))
    expect(missing).toEqual([])
  },
)

test.each(['README.md', 'CONTRIBUTING.md', 'AGENTS.md', 'models/haiku-nano/README.md'])(
  'the scripts that %s starts are there',
  (document) => {
    const scriptsOf = (path: string) => Object.keys((JSON.parse(read(path)) as { scripts: object }).scripts)
    const started = [
      ...read(document).matchAll(
        /(?:^|`|npx -y )pnpm(?:@[\d.]+)?(?: --filter @plumbline\/([\w-]+))? (?!install|exec)([a-z][\w:-]*)/gm,
      ),
    ]
    for (const [, owner, script] of started) {
      const folder = owner === 'haiku-nano' ? 'models/haiku-nano' : owner === undefined ? '.' : `packages/${owner}`
      expect(scriptsOf(join(folder, 'package.json'))).toContain(script)
    }
  },
)
