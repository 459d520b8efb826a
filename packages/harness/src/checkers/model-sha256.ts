import { type Check, judge, notMeasurable } from './check.ts'

/** The worker names the very file that it was asked to run. */
export const modelSha256Check: Check = {
  name: 'model-sha256',
  fromInside: false,
  run({ healthBefore, healthAfter, subject }) {
    const claimed = healthAfter?.health?.model_sha256 ?? healthBefore.health?.model_sha256
    const expected = `model_sha256 ${subject.sha256}`
    if (claimed === undefined || claimed === null) return notMeasurable(expected, '/health names none')
    const same = claimed === subject.sha256
    return judge(same, expected, same ? "the file's own, all 64 digits" : claimed)
  },
}
