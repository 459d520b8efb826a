import { type RowCover, stretchAt } from '../alignment/row-cover.ts'
import { inputTokenIds } from '../alignment/token-ids.ts'
import type { UnfitFinding } from '../comparison/comparison.ts'
import { graphNode } from '../graph/graph.ts'
import type { RecordedRun, Slab, Values } from '../recording/recording.ts'
import { printedRounding } from '../verdict/printed-rounding.ts'
import { ERROR, type OpRows, ROWS_A_TASK } from './op-error-tasks.ts'
import { type OpDone, OpErrors } from './op-errors.ts'

/** Whose residual stream is a plain sum and whose activation is SiLU; one that is not stated is taken to be of these. */
const PLAIN: ReadonlySet<string | undefined> = new Set([undefined, 'llama', 'mistral', 'qwen2', 'qwen3'])

/**
 * Error over size, squared, that the recording's type explains: of sums, which engines that quantise activations do in float32 too,
 * at the 11 bits of F16; of products of rounded factors a little more; of anything at the 8 bits of BF16.
 */
const BOUNDS = { sum: 1e-6, product: 1e-5, brainFloat: 1e-4 }

/** Values that are read for this, at the most: beyond that, evenly spread stretches of positions stand for all. */
const MOST_VALUES = 1 << 25
/** From so many values on a second thread pays. */
const MANY_VALUES = 1 << 23
/** So many at a time, which are read at once. */
const POSITIONS_TOGETHER = 8
const MOST_FINDINGS = 4

interface Row {
  readonly values: Values
  readonly slab: Slab
}

/**
 * What a forward pass cannot hold, whatever its weights are: sums of the residual stream that are not the sums of what was recorded to
 * be added, activations that are not those of gate and up, two embeddings of one token. Two sides that agree may agree in rubbish.
 */
export function contradictions(run: RecordedRun, covers: ReadonlyMap<string, RowCover>): readonly UnfitFinding[] {
  if (!PLAIN.has(run.identity.architecture)) return []
  const rounding = printedRounding(run)
  const findings: UnfitFinding[] = []
  const plan = planOf(run, covers)
  const suspects = suspectPositions(run, covers, plan, rounding)
  const kept = [new Float64Array(0), new Float64Array(0), new Float64Array(0)]
  for (const [site, { name, inputs, product }] of plan.sites.entries()) {
    if (findings.length >= MOST_FINDINGS) break
    for (const position of suspects[site]!) {
      const rows = [name, ...inputs].map((each, index) => rowAt(run, covers, each, position, kept, index))
      const [out, left, right] = rows
      if (out === undefined || left === undefined || right === undefined) continue
      if (left.values.length !== out.values.length || right.values.length !== out.values.length) continue
      const { error, size, allowance } = product ? offProduct(out, left, right) : offSum(out, left, right)
      const bound = boundOf(run, [out, left, right], product)
      if (error <= bound * size + allowance * rounding) continue
      const how = product ? `what ${inputs[0]} and ${inputs[1]} give` : `the sum of ${inputs[0]} and ${inputs[1]}`
      findings.push(found(name, position, out.slab, `it is not ${how}, which were recorded with it`))
      break
    }
  }
  const embedding = twoEmbeddings(run, covers)
  return embedding === undefined ? findings : [embedding, ...findings]
}

/** Of each site, in ascending order: positions that the kernels have not found to be as they should. Of a sound file those are none. */
function suspectPositions(
  run: RecordedRun,
  covers: ReadonlyMap<string, RowCover>,
  { sites, step, values }: Plan,
  rounding: number,
): number[][] {
  const suspects: number[][] = sites.map(() => [])
  const errors = new OpErrors({ threaded: Math.min(values, MOST_VALUES) >= MANY_VALUES })
  for (const [site, { name, inputs, product }] of sites.entries()) {
    const { width } = run.checkpoints.get(name)!
    const cursors = [name, ...inputs].map((each) => slabCursor(run, covers, each))
    const done: OpDone = (position, sums) => {
      if (sums === undefined || !isWithin(sums, width, product, boundOf(run, [], product), rounding))
        suspects[site]!.push(position)
    }
    let positions: number[] = []
    let rows: OpRows[] = []
    const flush = () => {
      if (positions.length > 0) errors.add(width, product, positions, rows, done)
      positions = []
      rows = []
    }
    for (const position of positionsOf(covers.get(name)!, step)) {
      const [out, left, right] = cursors.map((slabAt) => {
        const slab = slabAt(position)
        const whole = slab?.coverage.kind === 'all' && slab.coverage.perRow === width
        return whole ? slab.read.stored?.(position - slab.pos) : undefined
      })
      if (out === undefined || left === undefined || right === undefined) {
        suspects[site]!.push(position)
        continue
      }
      positions.push(position)
      rows.push([out, left, right])
      if (rows.length === ROWS_A_TASK) flush()
    }
    flush()
  }
  errors.end()
  return suspects.map((positions) => positions.sort((a, b) => a - b))
}

/** What overflows is for the plain loops to tell. */
function isWithin(sums: Float64Array, width: number, product: boolean, bound: number, rounding: number): boolean {
  const [error, size] = [sums[ERROR.error]!, sums[ERROR.size]!]
  const allowance = product ? productAllowance(width, sums[ERROR.activated]!, sums[ERROR.ups]!) : sumAllowance(width)
  return Number.isFinite(size) && error <= bound * size + allowance * rounding
}

/** What `contradictions` does not look at, in words; undefined where that is nothing. */
export function uncheckedSums(run: RecordedRun, covers: ReadonlyMap<string, RowCover>): string | undefined {
  const { architecture } = run.identity
  if (!PLAIN.has(architecture)) return `sums and activations: what they must be in ${architecture} is not known`
  const { sites, step } = planOf(run, covers)
  if (sites.length === 0) return 'sums and activations: none was recorded with its inputs'
  return step === 1 ? undefined : `sums and activations at ${step - 1} of ${step} positions, since there are so many`
}

interface Plan {
  readonly sites: ReturnType<typeof sitesOf>
  /** Of so many stretches of POSITIONS_TOGETHER one is looked at. */
  readonly step: number
  /** At all positions. */
  readonly values: number
}

/** What can be computed again from what was recorded with it. */
function planOf(run: RecordedRun, covers: ReadonlyMap<string, RowCover>): Plan {
  const sites = sitesOf(run, covers)
  const values = sites.reduce((sum, { name, inputs }) => sum + rowsOf(covers, name) * widthOf(run, name, inputs), 0)
  return { sites, step: Math.max(1, Math.ceil(values / MOST_VALUES)), values }
}

function sitesOf(run: RecordedRun, covers: ReadonlyMap<string, RowCover>) {
  return [...covers.keys()].flatMap((name) => {
    const node = graphNode(name, Number.POSITIVE_INFINITY)
    if (node === undefined || !['ffn_input', 'output', 'ffn_act'].includes(node.op)) return []
    const { inputs } = node
    return inputs.every((input) => run.checkpoints.has(input)) ? [{ name, inputs, product: node.op === 'ffn_act' }] : []
  })
}

const rowsOf = (covers: ReadonlyMap<string, RowCover>, name: string) =>
  [...covers.get(name)!.stretches].reduce((sum, { start, end }) => sum + end - start, 0)

const widthOf = ({ checkpoints }: RecordedRun, name: string, inputs: readonly string[]) =>
  [name, ...inputs].reduce((sum, each) => sum + checkpoints.get(each)!.width, 0)

function* positionsOf({ stretches }: RowCover, step: number): Generator<number> {
  let index = 0
  for (const { start, end } of stretches) {
    for (let position = start; position < end; position++) {
      if (Math.floor(index++ / POSITIONS_TOGETHER) % step === 0) yield position
    }
  }
}

/** Which slab holds a position; the last one is kept, since positions are asked for in their order. */
function slabCursor(run: RecordedRun, covers: ReadonlyMap<string, RowCover>, name: string) {
  const checkpoint = run.checkpoints.get(name)!
  const cover = covers.get(name)
  let [start, end] = [0, 0]
  let slab: Slab | undefined
  return (position: number): Slab | undefined => {
    if (position >= start && position < end) return slab
    const stretch = cover === undefined ? undefined : stretchAt(cover.stretches, position)
    if (stretch === undefined) return undefined
    ;({ start, end } = stretch)
    slab = checkpoint.slab(stretch.slab)
    return slab
  }
}

/** A whole row, copied into `kept[index]`, which grows as it must. */
function rowAt(
  run: RecordedRun,
  covers: ReadonlyMap<string, RowCover>,
  name: string,
  position: number,
  kept: Float64Array[],
  index: number,
): Row | undefined {
  const cover = covers.get(name)
  const stretch = cover === undefined ? undefined : stretchAt(cover.stretches, position)
  if (stretch === undefined) return undefined
  const slab = run.checkpoints.get(name)!.slab(stretch.slab)
  if (slab.coverage.kind !== 'all') return undefined
  const read = slab.read(position - slab.pos, 1)
  if (kept[index]!.length < read.length) kept[index] = new Float64Array(read.length)
  const values = kept[index]!.subarray(0, read.length)
  values.set(read)
  return { values, slab }
}

/** Squares: of the error, of what it is set against, and how many times the variance of printing is in it. */
interface Off {
  readonly error: number
  readonly size: number
  readonly allowance: number
}

function offSum({ values: out }: Row, { values: left }: Row, { values: right }: Row): Off {
  let error = 0
  let size = 0
  for (let i = 0; i < out.length; i++) {
    const a = left[i]!
    const b = right[i]!
    error += (out[i]! - (a + b)) ** 2
    size += a * a + b * b
  }
  return { error, size, allowance: sumAllowance(out.length) }
}

function offProduct({ values: out }: Row, { values: gate }: Row, { values: up }: Row): Off {
  let error = 0
  let size = 0
  let activated = 0
  let ups = 0
  for (let i = 0; i < out.length; i++) {
    const silu = gate[i]! / (1 + Math.exp(-gate[i]!))
    const right = silu * up[i]!
    error += (out[i]! - right) ** 2
    size += right * right + out[i]! ** 2
    activated += silu ** 2
    ups += up[i]! ** 2
  }
  return { error, size, allowance: productAllowance(out.length, activated, ups) }
}

const sumAllowance = (width: number) => 3 * width

/** Of sums of squares of SiLU(gate), whose slope is at most 1.1, and of up. */
const productAllowance = (width: number, activated: number, ups: number) => width + 1.1 ** 2 * ups + activated

const boundOf = (run: RecordedRun, rows: readonly Row[], product: boolean) =>
  isBrainFloat(run, rows) ? BOUNDS.brainFloat : product ? BOUNDS.product : BOUNDS.sum

const isBrainFloat = ({ identity: { activations = '' } }: RecordedRun, rows: readonly Row[]) =>
  /^(bf16|bfloat16)$/i.test(activations) || rows.some(({ slab }) => slab.dtype === 'BF16')

function twoEmbeddings(run: RecordedRun, covers: ReadonlyMap<string, RowCover>): UnfitFinding | undefined {
  const cover = covers.get('token_embd')
  const ids = inputTokenIds(run)
  if (cover === undefined || ids === undefined) return undefined
  const firsts = new Map<number, number>()
  const kept = [new Float64Array(0), new Float64Array(0)]
  for (const position of positionsOf(cover, 1)) {
    const id = ids[position]
    if (id === undefined) continue
    const first = firsts.get(id)
    if (first === undefined) {
      firsts.set(id, position)
      continue
    }
    const row = rowAt(run, covers, 'token_embd', position, kept, 0)
    const other = rowAt(run, covers, 'token_embd', first, kept, 1)
    if (row === undefined || other === undefined || row.values.length !== other.values.length) continue
    const zeros = { slab: row.slab, values: new Float64Array(row.values.length) }
    const { error, size } = offSum(row, other, zeros)
    if (error <= BOUNDS.sum * size) continue
    return found('token_embd', position, row.slab, `token ${id} has another embedding there than at position ${first}`)
  }
  return undefined
}

function found(checkpoint: string, position: number, { place }: Slab, message: string): UnfitFinding {
  return { kind: 'contradiction', message, checkpoint, position, ...place }
}
