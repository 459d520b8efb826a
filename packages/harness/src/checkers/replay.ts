import type { Replay, ReplayedDraw } from '../evidence/replay.ts'
import { type Check, fail, notMeasurable, pass } from './check.ts'

/**
 * The share of draws that may be another token than the reference draws: within the noise, or by an edge of top_k, top_p or min_p.
 * One is always let through.
 */
const OTHER_SHARE = 0.01

/** Each token is what the specified sampler draws, with the request's seed, from the reference's logits. */
export const replayCheck: Check = {
  name: 'replay',
  fromInside: false,
  run({ replays }) {
    const tolerance = replays[0]?.tolerance ?? 0
    const expected =
      `each token is the seeded draw from the reference's logits: ` +
      `margin within the measured logit noise of ${tolerance}, other than the very draw at most ${OTHER_SHARE * 100} %`
    const impossible = replays.find((replay) => replay.impossible !== undefined)
    if (impossible !== undefined) {
      const { index, tokenId } = impossible.impossible!
      return fail(expected, `token ${index} of ${impossible.stream} has id ${tokenId}, which the model does not have`)
    }
    const broken = replays.find((replay) => replay.error !== undefined)
    if (broken !== undefined) throw new Error(`the reference could not replay ${broken.stream}: ${broken.error}`)
    const all = replays.flatMap((replay) => replay.replayed.map((draw) => ({ replay, draw })))
    if (all.length === 0) return notMeasurable(expected, 'no token to replay')
    const wrong = all.filter(({ draw }) => !draw.edge && !isWithin(draw, tolerance))
    const edges = all.filter(({ draw }) => draw.edge)
    if (wrong.length > 0) {
      const { replay, draw } = wrong[0]!
      const why = draw.inKeptSet ? `${draw.margin.toFixed(3)} logits below the draw` : 'cut by top_k, top_p or min_p'
      const which = `token ${draw.index} (id ${draw.tokenId}) of ${replay.stream} is ${why}`
      return fail(expected, `${wrong.length} of ${all.length} tokens were not drawn so; the first: ${which}`)
    }
    const same = all.filter(({ draw }) => draw.margin === 0 && !draw.edge).length
    const others = all.length - same
    if (others > Math.max(1, OTHER_SHARE * all.length)) {
      return fail(
        expected,
        `${others} of ${all.length} draws are not the very draw, ${edges.length} of them by an edge`,
      )
    }
    // Only the harness itself can have left one unfinished.
    const short = replays.find(({ replayed, draws }) => replayed.length < draws)
    if (short !== undefined) throw new Error(`only ${told(short)} were replayed`)
    const largest = Math.max(0, ...all.filter(({ draw }) => !draw.edge).map(({ draw }) => draw.margin))
    return pass(
      expected,
      `${replays.map(told).join('; ')}; ${same} the very draw, largest margin ${largest.toPrecision(2)}, ${edges.length} at an edge`,
    )
  },
}

function isWithin(draw: ReplayedDraw, tolerance: number): boolean {
  return draw.inKeptSet && draw.margin <= tolerance
}

function told({ stream, replayed, draws }: Replay): string {
  return `${stream} ${replayed.length} of ${draws} draws`
}
