import { EXIT } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import { makeArtifactsFolder } from './artifacts.ts'

test('a folder that cannot be made is a usage error that names the option', async () => {
  const error = { exitCode: EXIT.usage, message: expect.stringContaining('--artifacts is /dev/null') }
  await expect(makeArtifactsFolder('/dev/null', 'haiku')).rejects.toMatchObject(error)
})
