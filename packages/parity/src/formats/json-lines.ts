import type { Fault } from '../recording/recording.ts'
import type { RecordingFile } from './recording-file.ts'
import { isJsonBlank, JsonFlaw, parseStrictJson } from './strict-json.ts'

/** One line of a JSON Lines file. */
export interface JsonLine {
  /** From 1. */
  readonly line: number
  /** Of the line's first byte. */
  readonly byteOffset: number
  /** What the line holds, `values` left empty; undefined where there is a problem. */
  readonly record?: unknown
  /** The numbers of the member `values`, which stay in the file. */
  readonly values?: NumbersInFile
  readonly problem?: { readonly kind: Fault['kind']; readonly message: string }
}

export interface NumbersInFile {
  /** After the opening bracket, in bytes. */
  readonly offset: number
  /** Up to the closing bracket. */
  readonly bytes: number
}

const SAMPLE_BYTES = 1024

/**
 * How many numbers there are where `expected` should be. A long array whose beginning makes that likely is taken at its word, since
 * whoever reads it to its end finds out; others are counted.
 */
export function countNumbers(file: RecordingFile, numbers: NumbersInFile, expected: number): number {
  if (numbers.bytes > 8 * SAMPLE_BYTES) {
    const sample = countCommas(file, { offset: numbers.offset, bytes: SAMPLE_BYTES })
    const likely = (sample / SAMPLE_BYTES) * numbers.bytes
    if (Math.abs(likely - expected) < expected / 4) return expected
  }
  return countCommas(file, numbers)
}

/** One more than there are commas; what else may stand there is found when the numbers are read. */
function countCommas(file: RecordingFile, { offset, bytes }: NumbersInFile): number {
  const window = Buffer.allocUnsafe(Math.min(bytes, WINDOW_BYTES))
  let commas = 0
  let blank = true
  for (let done = 0; done < bytes; ) {
    const size = file.readSome(window.subarray(0, Math.min(window.length, bytes - done)), offset + done)
    if (size === 0) break
    for (let at = 0; at < size; at++) if (window[at] === COMMA) commas++
    blank &&= commas === 0 && window.toString('latin1', 0, size).trim() === ''
    done += size
  }
  return blank ? 0 : commas + 1
}

/** Few enough for the processor's cache. */
const WINDOW_BYTES = 1 << 18
/** Of a line without its `values`: no record that is known comes near. */
const MAX_RECORD_BYTES = 1 << 20
const NUMBERS_KEY = Buffer.from('values')

/**
 * The lines of a file, blank ones left out. However long a line's `values` are, they are left in the file; the rest of a
 * line is parsed. Bytes are read once, from `start` to `end`, in windows.
 */
export function* scanJsonLines(file: RecordingFile, start = 0, end = file.size): Generator<JsonLine, void, void> {
  const window = Buffer.allocUnsafe(WINDOW_BYTES)
  const rest = new LineRest()
  let lineNumber = 1
  let lineStart = start
  for (let windowStart = start; windowStart < end; ) {
    const size = file.readSome(window.subarray(0, Math.min(WINDOW_BYTES, end - windowStart)), windowStart)
    if (size === 0) break
    for (let at = 0; at < size; ) {
      at = rest.take(window, at, size, windowStart)
      if (!rest.ended) break
      if (!rest.blank) yield rest.line(lineNumber, lineStart)
      lineNumber++
      lineStart = windowStart + at
      rest.begin()
    }
    windowStart += size
  }
  if (!rest.blank) {
    const message = 'the file ends within this line: it was cut, or its writer was killed'
    yield { line: lineNumber, byteOffset: lineStart, problem: { kind: 'truncated', message } }
  }
}

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE, NEWLINE] = Buffer.from('"\\,:[]{}\n')

/** A line in the making: all of it but the numbers, and where those are. */
class LineRest {
  /** Its newline was met. */
  ended = false
  blank = true
  readonly #text = Buffer.allocUnsafe(MAX_RECORD_BYTES)
  #length = 0
  #depth = 0
  #inString = false
  #escaped = false
  /** How many bytes of the current string equal those of the key; -1 where one did not. */
  #matched = -1
  #afterKey = false
  #inNumbers = false
  #numbers: { offset: number; bytes: number } | undefined
  #problem: string | undefined

  begin(): void {
    this.ended = this.#inString = this.#escaped = this.#afterKey = this.#inNumbers = false
    this.blank = true
    this.#length = this.#depth = 0
    this.#numbers = this.#problem = undefined
  }

  /** Takes bytes from `at` up to the end of the line or of the window, and returns where it stopped. */
  take(window: Buffer, at: number, size: number, windowStart: number): number {
    let kept = at
    let position = at
    while (position < size) {
      if (this.#inNumbers) {
        position = this.#skipNumbers(window, position, size)
        kept = position
        continue
      }
      const byte = window[position]!
      if (byte === NEWLINE) {
        this.#keep(window, kept, position)
        this.ended = true
        return position + 1
      }
      position++
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) {
          this.#escaped = true
          this.#matched = -1
        } else if (byte === QUOTE) {
          this.#inString = false
          this.#afterKey = this.#depth === 1 && this.#matched === NUMBERS_KEY.length
        } else this.#matched = this.#matched >= 0 && byte === NUMBERS_KEY[this.#matched] ? this.#matched + 1 : -1
      } else if (byte === QUOTE) {
        this.#inString = true
        this.#matched = 0
      } else if (byte === COMMA) this.#afterKey = false
      else if (byte === OPEN || byte === OPEN_BRACE) {
        if (byte === OPEN && this.#afterKey && this.#depth === 1) {
          this.#keep(window, kept, position)
          this.#beginNumbers(windowStart + position)
        } else this.#depth++
      } else if (byte === CLOSE || byte === CLOSE_BRACE) this.#depth--
      else if (byte > 32 && byte !== COLON && this.#afterKey) this.#afterKey = false
    }
    if (!this.#inNumbers) this.#keep(window, kept, size)
    return size
  }

  line(line: number, byteOffset: number): JsonLine {
    const place = { line, byteOffset }
    if (this.#problem !== undefined) return { ...place, problem: { kind: 'malformed', message: this.#problem } }
    try {
      const record = parseStrictJson(this.#text.subarray(0, this.#length))
      return { ...place, record, ...(this.#numbers !== undefined && { values: this.#numbers }) }
    } catch (error) {
      if (!(error instanceof JsonFlaw)) throw error
      return { ...place, problem: { kind: 'malformed', message: error.message } }
    }
  }

  #beginNumbers(offset: number): void {
    if (this.#numbers !== undefined) this.#problem = 'has `values` twice'
    this.#numbers = { offset, bytes: 0 }
    this.#inNumbers = true
  }

  /** Up to the closing bracket, which is kept, or to the newline that should not be there. */
  #skipNumbers(window: Buffer, from: number, size: number): number {
    const newline = window.indexOf(NEWLINE!, from)
    const lineEnd = newline >= 0 && newline < size ? newline : size
    const close = window.subarray(from, lineEnd).indexOf(CLOSE!)
    const end = close >= 0 ? from + close : lineEnd
    this.#numbers!.bytes += end - from
    if (end < size) this.#inNumbers = this.#afterKey = false
    return end
  }

  #keep(window: Buffer, from: number, to: number): void {
    if (this.blank) {
      for (let at = from; at < to && this.blank; at++) this.blank = isJsonBlank(window[at]!)
    }
    if (this.#problem !== undefined || to <= from) return
    if (this.#length + to - from > MAX_RECORD_BYTES) {
      this.#problem = `has more than ${MAX_RECORD_BYTES} bytes besides \`values\``
      return
    }
    window.copy(this.#text, this.#length, from, to)
    this.#length += to - from
  }
}
