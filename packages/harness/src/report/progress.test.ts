import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { Progress } from './progress.ts'

function output(isTTY: boolean) {
  let text = ''
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk
      done()
    },
  })
  return { stream: Object.assign(stream, { isTTY, columns: 40 }) as unknown as NodeJS.WriteStream, text: () => text }
}

test('where there is no terminal: a plain line a stage', () => {
  const { stream, text } = output(false)
  const progress = new Progress(stream)
  progress.show('loading', '10 %')
  progress.show('loading', '20 %')
  progress.show('healthy')
  progress.done()
  expect(text()).toBe('loading\nhealthy\n')
})

test('on a terminal: one line, written over, cut to the width, and gone at the end', () => {
  const { stream, text } = output(true)
  const progress = new Progress(stream)
  progress.show('loading', '10 %')
  progress.show('x'.repeat(100))
  progress.done()
  expect(text()).not.toContain('\n')
  expect(text()).toContain('loading: 10 %')
  expect(text()).not.toContain('x'.repeat(39))
  expect(text().endsWith('\r\u001b[2K')).toBe(true)
})
