import type { Replay, ReplayedDraw } from '../evidence/replay.ts'
import { LOGIT_NOISE, MOST_BY_ROUNDING, TIMES_ROUNDING } from '../evidence/tolerance.ts'
import { type Check, fail, notMeasurable, pass } from './check.ts'

/**
 * The share of draws that may be another token than the reference draws: within the noise, or by an edge of top_k, top_p or min_p.
 * One is always let through.
 */
const OTHER_SHARE = 0.01

/**
 * Where activations are rounded: the share of the draws of which an honest worker makes another where the rounding itself changes none, and how
 * many more of them there are for each draw that the rounding does change: the more of those, the nearer are all others to it. Four standard
 * deviations and two more are let through. Of the 18,946 draws that tolerance.ts tells of, 3,034 were swayed and 210 of the rest were others,
 * where this comes to 239.
 */
const OTHER_SHARE_ROUNDED = 0.003
const OTHER_FOR_SWAYED = 0.06
/**
 * Far into a stream the noise of an honest worker's logits has no sharp end: of the draws behind the first so many, one in each 500 begun
 * may be beyond the tolerance of its place. So a haiku has none.
 */
const CALM_DRAWS = 128
const FAR_DRAWS_FOR_ONE = 500

/** Each token is what the specified sampler draws, with the request's seed, from the reference's logits. */
export const replayCheck: Check = {
  name: 'replay',
  fromInside: false,
  run({ replays }) {
    const rounds = replays[0]?.activations === 'q8_16'
    const expected = rounds
      ? "each token is the seeded draw from the reference's logits, its activations rounded to int8 as fast states: " +
        `margin within ${TIMES_ROUNDING} times what the rounding makes of logits there and ${MOST_BY_ROUNDING}, ` +
        'and hardly ever another than the very draw where the rounding changes none'
      : "each token is the seeded draw from the reference's logits: " +
        `margin within the measured logit noise of ${LOGIT_NOISE}, other than the very draw at most ${OTHER_SHARE * 100} %`
    const impossible = replays.find((replay) => replay.impossible !== undefined)
    if (impossible !== undefined) {
      const { index, tokenId } = impossible.impossible!
      return fail(expected, `token ${index} of ${impossible.stream} has id ${tokenId}, which the model does not have`)
    }
    const broken = replays.find((replay) => replay.error !== undefined)
    if (broken !== undefined) throw new Error(`the reference could not replay ${broken.stream}: ${broken.error}`)
    const all = replays.flatMap((replay) => replay.replayed.map((draw) => ({ replay, draw })))
    if (all.length === 0) return notMeasurable(expected, 'no token to replay')
    const wrong = all.filter(({ draw }) => !draw.edge && !isWithin(draw))
    const isFar = ({ draw }: { draw: ReplayedDraw }) => rounds && draw.index >= CALM_DRAWS
    const wrongFar = wrong.filter(isFar).length
    if (wrong.length > wrongFar || wrongFar > Math.ceil(all.filter(isFar).length / FAR_DRAWS_FOR_ONE)) {
      const { replay, draw } = wrong[0]!
      const why = draw.inKeptSet ? `${draw.margin.toFixed(3)} logits below the draw` : 'cut by top_k, top_p or min_p'
      const which = `token ${draw.index} (id ${draw.tokenId}) of ${replay.stream} is ${why}`
      return fail(expected, `${wrong.length} of ${all.length} tokens were not drawn so; the first: ${which}`)
    }
    const draws = all.map(({ draw }) => draw)
    const same = draws.filter(isVeryDraw).length
    const edges = draws.filter(({ edge }) => edge).length
    const unswayed = draws.filter(({ swayed }) => !swayed)
    const others = unswayed.filter((draw) => !isVeryDraw(draw)).length
    const most = rounds ? mostRounded(draws.length, draws.length - unswayed.length) : mostUnrounded(draws.length)
    const where = rounds ? ` where the rounding changes none (at most ${Math.floor(most)} of ${unswayed.length})` : ''
    if (others > most) {
      return fail(
        expected,
        `${others} of ${draws.length} draws are not the very draw${where}, ${edges} of all by an edge`,
      )
    }
    // Only the harness itself can have left one unfinished.
    const short = replays.find(({ replayed, draws }) => replayed.length < draws)
    if (short !== undefined) throw new Error(`only ${told(short)} were replayed`)
    const largest = Math.max(0, ...draws.filter(({ edge }) => !edge).map(({ margin }) => margin))
    const seen = `${replays.map(told).join('; ')}; ${same} the very draw, largest margin ${largest.toPrecision(2)}, ${edges} at an edge`
    return pass(expected, rounds ? `${seen}; ${others} others${where}` : seen)
  },
}

function isWithin(draw: ReplayedDraw): boolean {
  return draw.inKeptSet && draw.margin <= draw.tolerance
}

function isVeryDraw(draw: ReplayedDraw): boolean {
  return draw.margin === 0 && !draw.edge
}

function mostUnrounded(draws: number): number {
  return Math.max(1, OTHER_SHARE * draws)
}

function mostRounded(draws: number, swayed: number): number {
  const usual = OTHER_SHARE_ROUNDED * draws + OTHER_FOR_SWAYED * swayed
  return usual + 4 * Math.sqrt(usual) + 2
}

function told({ stream, replayed, draws }: Replay): string {
  return `${stream} ${replayed.length} of ${draws} draws`
}
