import { describe, expect, test } from 'vitest'
import { plantedComparison } from '../../../test/helpers/planted-comparison.ts'
import { type HtmlReportOptions, htmlReport, LARGEST_REPORT_BYTES } from './html-report.ts'

const report = (planted: ReturnType<typeof plantedComparison>, options?: HtmlReportOptions) =>
  htmlReport(planted.comparison, planted.candidate, planted.reference, options)

/** What a person would read of it. */
const text = (page: string) => page.replace(/<(style|script)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ')

describe('the HTML report', () => {
  test('the same input gives the same bytes', () => {
    const make = () =>
      report(plantedComparison({ layers: 3, positions: 5 }), { command: 'plumbline-parity compare a b' })
    expect(make()).toBe(make())
  })

  test('says the verdict, where, why, what was not verified, and how to see it again', () => {
    const page = text(
      report(plantedComparison({ layers: 4, positions: 5 }), { command: 'plumbline-parity compare a b --html r.html' }),
    )
    for (const part of [
      'Diverged',
      'exit code 1',
      'diverged first at layer 2, attn_q_rope, position 1',
      'Local: fed the reference',
      'RoPE turns halves instead of neighbours',
      'Unverified',
      'Mapped before comparing',
      'Coverage',
      'plumbline-parity compare a b --html r.html',
    ]) {
      expect(page).toContain(part)
    }
  })

  test('a long command and two long prompts side by side are there whole', () => {
    const planted = plantedComparison({ layers: 2, positions: 3 })
    const command = `plumbline-parity compare ${'folder/'.repeat(200)}end`
    const details = Array.from({ length: 30 }, (_, i) => `${i} ${'token '.repeat(20)}last ${i}.`)
    const alignment = {
      ...planted.comparison.alignment,
      refusals: [{ kind: 'prompt-token-ids', message: 'differ', details }],
    }
    const page = report({ ...planted, comparison: { ...planted.comparison, alignment } }, { command })
    expect(page).toContain(command)
    for (let i = 0; i < 30; i++) expect(page).toContain(`last ${i}.`)
  })

  test('tokens are decoded where a tokenizer is at hand, and are ids where none is', () => {
    const planted = plantedComparison({ layers: 2, positions: 3 })
    expect(text(report(planted, { decodeToken: (id) => ` word${id}` }))).toContain('&quot; word7&quot;')
    expect(text(report(planted))).toContain('id 7')
    // An id that the tokenizer does not know is no reason for having no report.
    const throwing = (): string => {
      throw new Error('outside the vocabulary')
    }
    expect(text(report(planted, { decodeToken: throwing }))).toContain('id 7')
  })

  test('a recording cannot put markup, invisible characters or a script into the page', () => {
    const hostile = `</script><script>alert(1)</script><img src=x onerror="alert(1)">'&\u202e`
    const page = report(plantedComparison({ layers: 2, positions: 3, text: hostile }), {
      command: hostile,
      decodeToken: () => hostile,
    })
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(page).not.toContain('<img')
    expect(page).not.toContain('\u202e')
    expect(page).toContain('\\u{202e}')
  })

  test('holds no address that a browser would ask', () => {
    const page = report(plantedComparison({ layers: 2, positions: 3 }))
    expect(page).not.toMatch(/\b(?:src|href)="(?!#)/)
    expect(page).not.toMatch(/@import|url\(/)
    expect(page).toContain(`default-src &#39;none&#39;`)
  })

  test('32 layers and 512 tokens, each on its own, fit', () => {
    const page = report(plantedComparison({ layers: 32, positions: 512, width: 8 }), {
      decodeToken: (id) => ` word${id}`,
    })
    expect(Buffer.byteLength(page)).toBeLessThan(LARGEST_REPORT_BYTES)
    expect(page).not.toContain('shows the worst of them')
  })

  test.each(['"', '<\u202e€"'])(
    '200 layers, 1,000 tokens and texts of endless %j fit too, and the page says what was put together',
    (part) => {
      const text = part.repeat(100_000)
      const planted = plantedComparison({ layers: 200, positions: 1_000, width: 1, vocabulary: 16, text })
      const many = <T>(item: T): T[] => Array.from({ length: 1_000 }, () => item)
      const fault = { kind: 'malformed', message: text, file: text } as const
      const unfit = { kind: text, message: text, checkpoint: text, position: 1, file: text }
      const { candidate, reference, alignment } = planted.comparison
      const comparison = {
        ...planted.comparison,
        candidate: { ...candidate, faults: many(fault), unfit: many(unfit) },
        reference: { ...reference, faults: many(fault), unfit: many(unfit) },
        alignment: {
          ...alignment,
          refusals: many({ kind: text, message: text, details: many(text) }),
          unverified: many(text),
          mappings: many(text),
          onlyCandidate: many(text),
          onlyReference: many(text),
        },
      }
      const page = report(
        { ...planted, comparison },
        { command: text, decodeToken: () => text, others: many(comparison) },
      )
      expect(Buffer.byteLength(page)).toBeLessThan(LARGEST_REPORT_BYTES)
      expect(page).toMatch(/Each row stands for \d+ layers/)
      expect(page).toMatch(/covers up to \d+ positions, and shows the worst of them/)
    },
  )

  test('nothing compared: a verdict and manifests, and no map of nothing', () => {
    const planted = plantedComparison({ layers: 2, positions: 3 })
    const { divergence: _, ...rest } = planted.comparison
    const refusals = [
      { kind: 'prompt-token-ids', message: 'the prompts differ at index 2', details: ['1 2 <3>', '1 2 4'] },
    ]
    const verdict = { outcome: 'not-comparable', exitCode: 3, line: 'not comparable: two different prompts' } as const
    const page = report({
      ...planted,
      comparison: { ...rest, verdict, checkpoints: [], alignment: { ...rest.alignment, refusals } },
    })
    expect(text(page)).toContain('Not comparable')
    expect(text(page)).toContain('1 2 &lt;3&gt;')
    expect(page).not.toContain('id="map-data"')
  })
})
