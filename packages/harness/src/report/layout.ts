/** Lines of at most `width` columns; the first begins with `head`, the others with as many spaces. */
export function wrap(head: string, text: string, width = 80): string {
  const indent = ' '.repeat(head.length)
  const lines: string[] = []
  let line = head
  let empty = true
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line)
      line = indent
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  lines.push(line)
  return lines.join('\n')
}

/** A frame around lines, `notes` in a column at its right. */
export function frame(lines: readonly string[], notes: readonly string[]): string {
  const width = Math.max(...lines.map((line) => line.length), 24)
  const noteWidth = Math.max(...notes.map((note) => note.length), 0)
  const inside = width + 3 + noteWidth
  const rows = lines.map((line, index) => {
    return `  │  ${line.padEnd(width)}   ${(notes[index] ?? '').padStart(noteWidth)}  │`
  })
  const border = '─'.repeat(inside + 4)
  return [`  ╭${border}╮`, ...rows, `  ╰${border}╯`].join('\n')
}

export function bytes(count: number): string {
  return count < 1e6 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`
}
