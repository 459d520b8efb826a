import type { RecordingFile } from './recording-file.ts'

export interface TextLine {
  /** From 1. */
  readonly line: number
  /** Of the line's first byte. */
  readonly byteOffset: number
  readonly text: string
}

const WINDOW_BYTES = 1 << 20

/** The lines of a text, without their ends; one longer than the window comes in pieces. */
export function* textLines(file: RecordingFile): Generator<TextLine, void, void> {
  const window = Buffer.allocUnsafe(WINDOW_BYTES)
  let line = 1
  for (let start = 0; start < file.size; ) {
    const size = file.readSome(window, start)
    if (size === 0) return
    let at = 0
    for (let newline = window.indexOf(10); newline >= 0 && newline < size; newline = window.indexOf(10, at)) {
      yield { line: line++, byteOffset: start + at, text: window.toString('utf8', at, newline) }
      at = newline + 1
    }
    if (at === 0 || start + size >= file.size) {
      if (at < size) yield { line, byteOffset: start + at, text: window.toString('utf8', at, size) }
      at = size
    }
    start += at
  }
}
