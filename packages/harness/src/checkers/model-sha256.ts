import { type Check, judge, notMeasurable } from './check.ts'

/** The worker names the very file that it was asked to run, whenever it names one. */
export const modelSha256Check: Check = {
  name: 'model-sha256',
  fromInside: false,
  run({ healthBefore, healthAfter, subject }) {
    const records = [healthBefore.health?.model_sha256, healthAfter?.health?.model_sha256]
    const claims = records.filter((claim) => claim !== undefined && claim !== null)
    const expected = `model_sha256 ${subject.file.sha256}`
    if (claims.length === 0) return notMeasurable(expected, '/health names none')
    const other = claims.find((claim) => claim !== subject.file.sha256)
    return judge(other === undefined, expected, other ?? "the file's own, all 64 digits")
  },
}
