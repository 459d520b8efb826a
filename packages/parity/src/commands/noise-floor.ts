import { writeFileSync } from 'node:fs'
import { EXIT, PlumblineError } from '@plumbline/protocol'
import { loadModel, loadTokenizer, type ReferenceModel, readGguf } from '@plumbline/reference'
import { type Command, Option } from 'commander'
import { align } from '../alignment/align.ts'
import { matchRuns } from '../alignment/match-runs.ts'
import { GGML_ARITHMETIC } from '../arithmetic/arithmetic.ts'
import { roundToHalf } from '../arithmetic/narrow-floats.ts'
import { measureRows } from '../comparison/compare.ts'
import { openRecording } from '../formats/open-recording.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { documentHead, refusalDocument } from '../report/json-document.ts'
import { layerCount } from '../verdict/coverage.ts'
import { modelKind } from '../verdict/model-floors.ts'
import { LAYER_STEPS, NoiseFloors, type NoisyProfile } from '../verdict/noise-floors.ts'
import { statedProfile } from '../verdict/profile.ts'
import { roundedRun } from '../verdict/rounded-run.ts'
import type { CommandContext } from './context.ts'
import { namingModel } from './naming-model.ts'
import { tellingJson } from './report-options.ts'

interface Given {
  readonly model: string[]
  readonly pair: string[]
  readonly prompt: string[]
  readonly out?: string
}

/** Of the kinds that models are given: a story, a question, a list, code. */
const PROMPTS = [
  'Once upon a time there was a small boat that wanted to see the ocean.',
  'Write a haiku about the sea that has the words copper and lantern in it.',
  'What is the capital of France, and which river goes through it?',
  'apples, pears, plums, cherries, figs, dates',
  'for (let i = 0; i < 10; i++) { sum += values[i] * weights[i] }',
]

/** `noise-floor`: how far honest runs are from each other, op by op. */
export function addNoiseFloorCommand(program: Command, context: CommandContext): void {
  program
    .command('noise-floor')
    .description('measure how far honest runs are from each other, op by op: what the tolerances are made of')
    .option('--model <GGUF...>', 'models to run in the arithmetic of each profile, against float64', [])
    .option('--pair <CANDIDATE=REFERENCE...>', 'recordings of honest runs of one computation', [])
    .addOption(
      new Option('--prompt <TEXT...>', 'what the models are given').default(
        [...PROMPTS],
        'a story, a question and others',
      ),
    )
    .option('--out <FILE>', 'write the floors as JSON (default: stdout)')
    .action(async (given: Given) => {
      const refusal = (error: PlumblineError) => refusalDocument('noise-floor', error)
      const floors = await tellingJson({ json: given.out === undefined }, () => measure(given, context), refusal)
      const text = `${JSON.stringify(floors, null, 2)}\n`
      if (given.out === undefined) process.stdout.write(text)
      else writeFileSync(given.out, text)
      context.exitWith(EXIT.ok)
    })
}

async function measure(given: Given, { progress }: CommandContext) {
  const floors = new NoiseFloors()
  const steps = given.model.length * given.prompt.length + given.pair.length
  let done = 0
  for (const path of given.model) {
    const { model, tokenizer } = namingModel(path, () => {
      const gguf = readGguf(path)
      return { model: loadModel(gguf), tokenizer: loadTokenizer(gguf) }
    })
    for (const prompt of given.prompt) {
      simulate(model, tokenizer.encode(prompt), floors)
      progress.show('measuring noise', ++done, steps)
    }
  }
  for (const pair of given.pair) {
    await addPair(pair, floors)
    progress.show('measuring noise', ++done, steps)
  }
  progress.done()
  if (steps === 0) throw invalidOption('give --model, --pair or both')
  return { ...documentHead('noise-floor', EXIT.ok), layer_steps: LAYER_STEPS, profiles: floors.floors() }
}

/** What the arithmetic of each profile makes of a prompt, against float64. */
function simulate(model: ReferenceModel, ids: readonly number[], floors: NoiseFloors): void {
  const exact = recordOracle(model, ids).run
  addRuns(roundedRun(model, ids, Math.fround), exact, 'float32', floors)
  addRuns(roundedRun(model, ids, roundToHalf), exact, 'float16', floors)
  addRuns(recordOracle(model, ids, { activations: 'Q8' }).run, exact, 'quantised-activations', floors)
  // Of weights that are not quantised, ggml's arithmetic is that of F16.
  const ofGgml = [...model.gguf.tensors.values()].some(({ type }) => !/^B?F(16|32)$/.test(type))
  if (ofGgml)
    addRuns(recordOracle(model, ids, { arithmetic: GGML_ARITHMETIC }).run, exact, 'quantised-activations', floors)
}

async function addPair(pair: string, floors: NoiseFloors): Promise<void> {
  const [candidatePath, referencePath, ...rest] = pair.split('=')
  if (!candidatePath || !referencePath || rest.length > 0) throw invalidOption(`--pair is '${pair}', must be A=B`)
  const candidate = await openRecording(candidatePath)
  const reference = await openRecording(referencePath)
  try {
    for (const runs of matchRuns(candidate, reference)) {
      const { profile } = statedProfile(runs)
      if (profile !== 'bit-exact') addRuns(runs.candidate, runs.reference, profile, floors)
    }
  } finally {
    candidate.close()
    reference.close()
  }
}

function addRuns(candidate: RecordedRun, reference: RecordedRun, profile: NoisyProfile, floors: NoiseFloors): void {
  const aligned = align(candidate, reference, {})
  const refusal = aligned.alignment.refusals[0]
  if (refusal !== undefined) throw new PlumblineError('NOT_COMPARABLE', refusal.message)
  floors.add(profile, measureRows(aligned), layerCount(aligned), modelKind(aligned))
}

const invalidOption = (message: string) => new PlumblineError('INVALID_OPTION', message)
