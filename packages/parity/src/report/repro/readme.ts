import type { Repro } from './bundle.ts'

/** README.md of a bundle. */
export function bundleReadme(repro: Repro): string {
  const { verdict, checkpoint, position, width, columns, inputs, sides, notes, tolerance } = repro
  const held =
    columns.length === width
      ? `all ${width} values`
      : `${columns.length} of ${width} values (\`columns\` in repro.json)`
  const lines = [
    '# One op that differs',
    '',
    verdict,
    '',
    'See the difference again, computed from what is in here:',
    '',
    '    plumbline-parity repro out.zip',
    '',
    'or with numpy alone:',
    '',
    '    import numpy',
    `    candidate = numpy.load('candidate/${checkpoint}.npy').astype('f8')`,
    `    reference = numpy.load('reference/${checkpoint}.npy').astype('f8')`,
    '    print(((candidate - reference) ** 2).sum() / (reference ** 2).sum())  # NMSE',
    '',
    '## What is in here',
    '',
    `- \`candidate/${checkpoint}.npy\`, \`reference/${checkpoint}.npy\`: what both sides computed at position ${position}: ${held}.`,
    ...inputs.map((input) => `- \`${input}.npy\` of ${sides.join(' and ')}: what the op read.`),
    ...(sides.length > 0
      ? ['- `weights/`: the rows of the weights that these values need, dequantised to float32.']
      : []),
    '- `repro.json`: which op it is, its parameters, the tolerance and the likely cause.',
    '',
    `The tolerance is an NMSE of ${tolerance}.`,
    ...notes,
    '',
  ]
  return lines.join('\n')
}
