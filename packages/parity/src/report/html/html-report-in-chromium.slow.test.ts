import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { committedAsset, skipReason } from '@plumbline/protocol/testing'
import { loadModel, loadTokenizer, readGguf } from '@plumbline/reference'
import axe, { type AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium } from '../../../test/helpers/chromium.ts'
import { plantedComparison } from '../../../test/helpers/planted-comparison.ts'
import { compare } from '../../comparison/compare.ts'
import { recordOracle } from '../../oracle/memory-oracle.ts'
import type { OracleOptions } from '../../oracle/oracle.ts'
import { parsePlanting } from '../../oracle/planting.ts'
import { memoryRecording } from '../../recording/memory-recording.ts'
import { htmlReport } from './html-report.ts'

const executablePath = findChromium()
const skipped = skipReason(executablePath === undefined ? 'neither chromium nor google-chrome is on PATH' : undefined)
const screenshots = fileURLToPath(new URL('../../../../../artifacts/report/', import.meta.url))

const WIDTHS = [1280, 768, 320]
const SCHEMES = ['light', 'dark'] as const

describe.skipIf(skipped !== undefined)(
  `the HTML report in headless Chromium${skipped === undefined ? '' : ` (skipped: ${skipped})`}`,
  () => {
    let browser: Browser
    let folder: string
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'plumbline-report-'))
      mkdirSync(screenshots, { recursive: true })
      // Chromium's own sandbox does not work as root or in most containers; all it opens is the page that is tested.
      browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
    })
    afterAll(async () => {
      await browser.close()
      rmSync(folder, { recursive: true })
    })

    /** Opens a report as a person would, by its file; whatever it says on the console or asks of the network is an error. */
    async function open(
      name: string,
      page: string,
      options: { width: number; colorScheme?: 'light' | 'dark' },
    ): Promise<{ page: Page; errors: string[] }> {
      const path = join(folder, `${name}.html`)
      writeFileSync(path, page)
      const errors: string[] = []
      const { width, colorScheme = 'light' } = options
      const opened = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
      opened.on('console', (message) => errors.push(`console: ${message.text()}`))
      opened.on('pageerror', (error) => errors.push(`error: ${error.message}`))
      opened.on('request', (request) => {
        if (request.url() !== pathToFileURL(path).href) errors.push(`request: ${request.url()}`)
      })
      await opened.goto(pathToFileURL(path).href)
      return { page: opened, errors }
    }

    const planted = (layers: number, positions: number, text?: string) => {
      const named = text === undefined ? {} : { text }
      const { comparison, candidate, reference } = plantedComparison({ layers, positions, width: 16, ...named })
      const decodeToken = (id: number) => ` word${id}`
      return htmlReport(comparison, candidate, reference, { command: 'plumbline-parity compare a b', decodeToken })
    }

    /** The reference's own passes of a real model, set against each other. */
    function real(options: { mistake?: string; activations?: 'Q8' }): string {
      const gguf = readGguf(committedAsset('stories260K/stories260K-f32.gguf'))
      const model = loadModel(gguf)
      const tokenizer = loadTokenizer(gguf)
      const { mistake, ...others } = options
      const prompt = tokenizer.encode('Once upon a time, there was a little girl named Lily.')
      const record = (changes: OracleOptions) =>
        memoryRecording([recordOracle(model, prompt, { maxTokens: 8, ...changes }).run])
      const candidate = record({ ...others, ...(mistake !== undefined && { planting: parsePlanting(mistake, model) }) })
      const reference = record({})
      const comparison = compare(candidate, reference, {
        model,
        tokenizer,
        profile: options.activations === 'Q8' ? 'quantised-activations' : 'float32',
      })
      expect(comparison.verdict.exitCode).toBe(mistake === undefined ? 0 : 1)
      const command = 'plumbline-parity compare candidate reference --model stories260K-f32.gguf'
      return htmlReport(comparison, candidate, reference, { command, decodeToken: (id) => tokenizer.decodeText([id]) })
    }

    // Screenshots for people; what a machine can see is asserted.
    describe.each([
      { name: 'rope-mistake', make: () => real({ mistake: 'rope-pairing@2' }), cells: 5 * 15 + 3 },
      { name: 'honest', make: () => real({ activations: 'Q8' }), cells: 5 * 15 + 3 },
      { name: 'large', make: () => planted(32, 512), cells: 32 * 15 + 3 },
    ])('$name', ({ name, make, cells }) => {
      let report: string
      beforeAll(() => {
        report = make()
      })
      test.each(WIDTHS.flatMap((width) => SCHEMES.map((colorScheme) => ({ width, colorScheme }))))(
        'at $width pixels, $colorScheme: no errors, no requests, nothing wider than the screen',
        async ({ width, colorScheme }) => {
          const { page, errors } = await open(name, report, { width, colorScheme })
          await page.screenshot({ path: join(screenshots, `${name}-${width}-${colorScheme}.png`), fullPage: true })
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
          expect(await page.locator('.heat td[data-cell]').count()).toBe(cells)
          expect(errors).toEqual([])
          await page.close()
        },
      )
    })

    // axe-core (Deque): WCAG 2.2 A and AA, contrast among them, and best practices.
    test.each(SCHEMES)('axe finds nothing to object to, %s', async (colorScheme) => {
      const { page } = await open('axe', real({ mistake: 'rope-pairing@2' }), { width: 1280, colorScheme })
      // Every level of the map, whether this report has it or not.
      await page.evaluate(`
        for (const details of document.querySelectorAll('details')) details.open = true
        const cells = document.querySelectorAll('.heat tbody td[data-cell]')
        const levels = ['none', 'equal', 'nonfinite', ...[1, 2, 3, 4].flatMap((n) => ['under-' + n, 'over-' + n])]
        for (const [i, level] of levels.entries()) cells[i + 1].className = level`)
      const { violations, passes } = (await page.evaluate(`${axe.source}; axe.run()`)) as AxeResults
      const summary = violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)}`,
      )
      expect(summary).toEqual([])
      expect(passes.find(({ id }) => id === 'color-contrast')?.nodes.length).toBeGreaterThan(200)
      await page.close()
    })

    test('by keyboard alone: past the header, into the map, to another cell, to its values, and on', async () => {
      const { page, errors } = await open('keyboard', planted(4, 6), { width: 1280 })
      const focused = () =>
        page.evaluate('document.activeElement.getAttribute("aria-label") ?? document.activeElement.id')
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.className')).toBe('skip')
      await page.keyboard.press('Enter')
      await page.keyboard.press('Tab')
      expect(await focused()).toBe('token')
      await page.keyboard.press('Tab')
      expect(await focused()).toMatch(/^blk\.2\.attn_q_rope ▸−2, the first divergence: NMSE .* × the tolerance$/)
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowRight')
      expect(await focused()).toMatch(/^blk\.3\.attn_k_rope/)
      expect(await page.locator('#cell h3').textContent()).toBe('blk.3.attn_k_rope')
      await page.keyboard.press('Enter')
      expect(await focused()).toBe('Values of the chosen cell')
      expect(await page.locator('#cell .values tbody tr').count()).toBeGreaterThan(2)
      // Out again: no trap.
      for (let i = 0; i < 12; i++) await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.closest("#cell, #map") === null')).toBe(true)
      expect(errors).toEqual([])
      await page.close()
    })

    test('the token slider shows one token, and the values of what is sampled there', async () => {
      const { page, errors } = await open('slider', planted(4, 6), { width: 768 })
      await page.locator('#token').focus()
      await page.keyboard.press('ArrowRight')
      expect(await page.locator('#token-name').textContent()).toBe('position 0, " word0" 0')
      expect(await page.locator('#cell-summary').textContent()).toMatch(/NMSE 1e−12, 1000 × below the tolerance/)
      expect(await page.locator('#cell').textContent()).toContain('The values of this token are not in this page')
      await page.keyboard.press('ArrowRight')
      expect(await page.locator('#cell .values caption').textContent()).toContain('at position 1, " word7" 7')
      expect(errors).toEqual([])
      await page.close()
    })

    test('what looks like a script stays text', async () => {
      const hostile = `</script><script>document.title = 'run'</script><img src="http://127.0.0.1:1/" onerror="document.title = 'run'">`
      const { page, errors } = await open('hostile', planted(2, 3, hostile), { width: 1280 })
      expect(await page.title()).not.toBe('run')
      expect(await page.locator('img').count()).toBe(0)
      expect(await page.locator('h1').textContent()).toContain(hostile)
      expect(errors).toEqual([])
      await page.close()
    })
  },
)
