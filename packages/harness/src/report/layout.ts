/** Lines of at most `width` columns; the first begins with `head`, the others with as many spaces. */
export function wrap(head: string, text: string, width = 80): string {
  const room = width - head.length
  // A word that fits nowhere is cut.
  const words = printable(text)
    .split(' ')
    .flatMap((word) => word.match(new RegExp(`.{1,${room}}`, 'gsu')) ?? [''])
  const lines = ['']
  for (const [index, word] of words.entries()) {
    const line = lines.at(-1)!
    if (index === 0) lines[0] = word
    else if (line.length + 1 + word.length <= room) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.map((line, index) => (index === 0 ? head : ' '.repeat(head.length)) + line).join('\n')
}

/** Text from a worker must not move the cursor, nor anything else of a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\u00b7')
}

/** A frame around lines, `notes` in a column at its right. */
export function frame(lines: readonly string[], notes: readonly string[]): string {
  const width = Math.max(24, ...lines.map((line) => line.length))
  const noteWidth = Math.max(0, ...notes.map((note) => note.length))
  const rows = lines.map((line, index) => `  │  ${line.padEnd(width)}   ${(notes[index] ?? '').padStart(noteWidth)}  │`)
  const border = '─'.repeat(width + noteWidth + 7)
  return [`  ╭${border}╮`, ...rows, `  ╰${border}╯`].join('\n')
}

/** A number of bytes for people: kB and MB are powers of ten. */
export function fileSize(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}
