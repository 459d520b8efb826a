import { describe, expect, test } from 'vitest'
import { countWord, linesOf, wordsOf } from './word-matching.ts'

describe('countWord', () => {
  test.each([
    ['seven herons wait', 'seven', 1],
    ['seventeen herons wait', 'seven', 0],
    ['twenty-seven herons wait', 'seven', 0],
    ['Fifty-Four herons', 'fifty-four', 1],
    ['fifty-four herons', 'fifty', 0],
    ['fifty-four herons', 'four', 0],
    ['fifty four herons', 'fifty-four', 0],
    ['fifty\u2011four herons', 'fifty-four', 1],
    ['FIFTY-FOUR, fifty-four.', 'fifty-four', 2],
    ['(lantern)', 'lantern', 1],
    ['lantern—lantern', 'lantern', 2],
    ['lantern, lantern-light', 'lantern', 1],
    ["the lantern's light", 'lantern', 0],
    ['the lantern’s light', "lantern's", 1],
    ['lanterns', 'lantern', 0],
    ['_lantern_', 'lantern', 1],
    ['lantern-', 'lantern', 1],
    ['lantern2', 'lantern', 0],
    ['', 'lantern', 0],
  ])('%j holds %j %i times', (text, word, count) => {
    expect(countWord(text, word)).toBe(count)
  })
})

test('wordsOf keeps accents, composed or not, with their letters', () => {
  expect(wordsOf('cafe\u0301 na\u00efve')).toEqual(['caf\u00e9', 'na\u00efve'])
})

test('linesOf drops blank lines and the white space around lines', () => {
  expect(linesOf('\n one \r\n\r\ntwo\rthree\n')).toEqual(['one', 'two', 'three'])
})
