import type { RecordedRun, Recording } from '../recording/recording.ts'
import { checkpointOfNode } from './llama-debug-names.ts'
import { PrintedTokenIds } from './llama-debug-token-ids.ts'
import { FaultList, invalid, type RecordingFile } from './recording-file.ts'
import { dimensionsOf, inComputationOrder } from './sidecar.ts'
import { SlabTable } from './slab-table.ts'
import { SpoolFile } from './spool-file.ts'
import { TensorReader } from './tensor-values.ts'
import { type TextLine, textLines } from './text-lines.ts'

/** `common_debug_cb_eval:   Qcur-0 = (f32)   MUL_MAT(a{64, 64, 1, 1}, b{64, 5, 1, 1}}) = {64, 5, 1, 1}` */
const NODE = /^\s*\w+:\s+(.{1,200}?) = \((\w+)\)\s+(\w+)\(.*\) = \{(\d+), (\d+), (\d+), (\d+)\}\s*$/
const ROW = /^\s*\[([^[\]]*)\],?\s*$/
const PRINTED_DECIMALS = 4
/** A piece of a token may be part of a character; many of them in a row are not. */
const NO_TEXT = /\0|\uFFFD{8}/

export function looksLikeLlamaDebug(start: Buffer): boolean {
  return start
    .toString('latin1')
    .split('\n')
    .some((line) => NODE.test(line))
}

/** One node as it was printed: rows of numbers, each the beginning and (in newer versions) the end of one. */
interface Node extends TextLine {
  readonly checkpoint: string
  readonly op: string
  /** ggml's order: the first is contiguous. */
  readonly dimensions: readonly number[]
  /** `undefined` stands for numbers that were left out. */
  readonly rows: (number | undefined)[][]
  closed: boolean
}

interface Printed {
  readonly checkpoint: string
  readonly op: string
  readonly width: number
  readonly tokens: number
  readonly line: number
  readonly byteOffset: number
  readonly blocks: readonly { row: number; count: number; dataOffset: number }[]
  /** The same for each row. */
  readonly columns: Int32Array
}

/** One forward pass: a chunk of a prompt, a token, or a warm-up. */
type Pass = Map<string, Printed>

/**
 * What llama.cpp's `llama-eval-callback` and `llama-debug` print (common/debug.cpp): of each node the first and last three of each
 * dimension, with four decimals. Token ids are there where the tool printed them and its log was kept.
 */
export function openLlamaDebug(file: RecordingFile): Recording {
  const faults = new FaultList()
  const spool = new SpoolFile(file.path)
  let values: RecordingFile
  let scanned: ReturnType<typeof scan>
  try {
    scanned = scan(file, spool, faults)
    if (scanned.passes.length === 0)
      throw invalid({ file: file.path, line: 1, byteOffset: 0 }, 'holds no node that is a checkpoint')
    values = spool.finish()
  } catch (error) {
    spool.discard()
    throw error
  }
  const runs = runsOf(scanned.passes, scanned.tokenIds).map(({ id, passes, tokenIds }): RecordedRun => {
    const { checkpoints } = tableOf(file.path, values, passes)
    const widths = new Map([...checkpoints].map(([name, { width }]) => [name, width]))
    return {
      id,
      identity: {
        engine: 'llama.cpp',
        ropeOrder: 'gguf',
        ...dimensionsOf(widths),
        ...(tokenIds && { promptTokenIds: tokenIds }),
      },
      checkpoints,
      printedDecimals: PRINTED_DECIMALS,
    }
  })
  const close = () => {
    file.close()
    values.close()
  }
  return { path: file.path, format: 'llama-debug-text', runs, faults: faults.list(), close }
}

function scan(file: RecordingFile, spool: SpoolFile, faults: FaultList) {
  const passes: Pass[] = []
  const ids = new PrintedTokenIds()
  let node: Node | undefined
  let broken = false
  const finish = () => {
    if (node === undefined) return
    const printed = node.closed ? placed(node, spool) : undefined
    if (printed === undefined) {
      const kind = node.closed ? 'wrong-count' : 'truncated'
      faults.add(
        kind,
        { file: file.path, line: node.line, byteOffset: node.byteOffset },
        `${node.checkpoint} is not whole`,
      )
    } else {
      const pass = passes.at(-1)
      // A bias is added under the name of what it is added to.
      const again = pass?.has(printed.checkpoint) && printed.op !== 'ADD'
      if (pass === undefined || again) passes.push(new Map([[printed.checkpoint, printed]]))
      else pass.set(printed.checkpoint, printed)
    }
    node = undefined
  }
  for (const line of textLines(file)) {
    if (NO_TEXT.test(line.text) && !broken) {
      broken = true
      faults.add(
        'malformed',
        { file: file.path, line: line.line, byteOffset: line.byteOffset },
        'holds bytes that are no text',
      )
    }
    ids.see(line.text)
    const header = NODE.exec(line.text)
    if (header !== null) {
      finish()
      const [, name, , op, ...dimensions] = header
      const checkpoint = checkpointOfNode(name!.trim(), op!)
      if (checkpoint !== undefined) {
        node = { ...line, checkpoint, op: op!, dimensions: dimensions.map(Number), rows: [], closed: false }
      }
    } else if (node !== undefined) {
      const row = ROW.exec(line.text)
      if (row !== null) node.rows.push(row[1]!.split(',').map((text) => numberOf(text.trim())))
      else if (/^\s*sum = /.test(line.text)) {
        node.closed = true
        finish()
      }
    }
  }
  finish()
  return { passes, tokenIds: ids.ids() }
}

function numberOf(text: string): number | undefined {
  if (text === '...') return undefined
  const name = /^([+-]?)(nan|inf)$/i.exec(text)
  if (name !== null) return name[2]!.toLowerCase() === 'nan' ? Number.NaN : name[1] === '-' ? -Infinity : Infinity
  return text === '' ? Number.NaN : Number(text)
}

/** Where the printed numbers stand in [tokens, width]; undefined where they are not as many as the dimensions say. */
function placed(node: Node, spool: SpoolFile): Printed | undefined {
  const [first, second, third, fourth] = node.dimensions as [number, number, number, number]
  // After RoPE, and of a kind that is per head: [tokens, heads, values of a head].
  const perHead = third > 1 || node.op.startsWith('ROPE')
  const tokens = perHead ? third : second
  const heads = perHead ? second : 1
  const shownTokens = shownOf(tokens)
  const shownHeads = shownOf(heads)
  const shown = shownOf(first)
  const printedRows = node.rows.map((row) => row.filter((number) => number !== undefined))
  const perRow = printedRows[0]?.length ?? 0
  // Older versions print the first three and no end.
  const ends = perRow === shown.length
  const columnsOfHead = ends ? shown : shown.filter((index) => index < 3)
  if (fourth !== 1 || first === 0 || perRow !== columnsOfHead.length) return undefined
  const keep = (indices: readonly number[]) => (ends ? indices : indices.filter((index) => index < 3))
  const [rows, headsKept] = [keep(shownTokens), keep(shownHeads)]
  if (printedRows.length !== rows.length * headsKept.length) return undefined
  const numbers = printedRows.flat()
  if (numbers.length !== printedRows.length * perRow) return undefined

  const dataOffset = spool.size
  spool.append(new Uint8Array(Float32Array.from(numbers).buffer))
  const rowBytes = 4 * perRow * headsKept.length
  const blocks: { row: number; count: number; dataOffset: number }[] = []
  for (const [index, row] of rows.entries()) {
    const last = blocks.at(-1)
    if (last !== undefined && last.row + last.count === row) last.count++
    else blocks.push({ row, count: 1, dataOffset: dataOffset + index * rowBytes })
  }
  const columns = Int32Array.from(headsKept.flatMap((head) => columnsOfHead.map((column) => head * first + column)))
  const { checkpoint, op, line, byteOffset } = node
  return { checkpoint, op, width: first * heads, tokens, line, byteOffset, blocks, columns }
}

/** Of so many, the first and last three. */
function shownOf(count: number): number[] {
  const all = Array.from({ length: Math.min(count, 6) }, (_, index) => index)
  return count <= 6 ? all : [0, 1, 2, count - 3, count - 2, count - 1]
}

/** Of the node that has most: there are as many nodes as somebody printed. */
function tokensOf(pass: Pass): number {
  let most = 0
  for (const { tokens } of pass.values()) most = Math.max(most, tokens)
  return most
}

/** The passes at the end that make up the prompt are one run; others, such as a warm-up, are runs without ids. */
function runsOf(passes: readonly Pass[], tokenIds: readonly number[] | undefined) {
  let begin = passes.length
  let tokens = 0
  while (tokenIds !== undefined && begin > 0 && tokens < tokenIds.length) tokens += tokensOf(passes[--begin]!)
  const whole = tokenIds !== undefined && tokens === tokenIds.length
  const alone = (whole ? passes.slice(0, begin) : passes).map((pass, index) => ({
    id: `pass-${index + 1}`,
    passes: [pass],
    tokenIds: undefined,
  }))
  return whole ? [...alone, { id: 'prompt', passes: passes.slice(begin), tokenIds }] : alone
}

function tableOf(file: string, values: RecordingFile, passes: readonly Pass[]): SlabTable {
  const columns: Int32Array[] = []
  const reader = new TensorReader()
  const table = new SlabTable({
    file,
    values: ({ dataOffset, perRow }, first, rows) =>
      reader.read(values, dataOffset + first * perRow * 4, 'F32', rows * perRow),
    columns: ({ index }) => columns[index]!,
  })
  let start = 0
  for (const pass of passes) {
    const tokens = tokensOf(pass)
    for (const name of inComputationOrder([...pass.keys()])) {
      const printed = pass.get(name)!
      // Of the last layer llama.cpp computes only those positions whose logits are wanted: the last.
      const first = start + tokens - printed.tokens
      for (const { row, count, dataOffset } of printed.blocks) {
        const perRow = printed.columns.length
        const added = table.add({
          checkpoint: name,
          width: printed.width,
          pos: first + row,
          count,
          perRow,
          dtype: 'F32',
          coverage: perRow === printed.width ? 'all' : 'columns',
          dataOffset,
          order: table.length,
          line: printed.line,
          byteOffset: printed.byteOffset,
        })
        if (added === 'added') columns.push(printed.columns)
      }
    }
    start += tokens
  }
  return table
}
