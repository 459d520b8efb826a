import { readFileSync } from 'node:fs'
import { EXIT } from '@plumbline/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  buildPlantedAddon,
  kindOf,
  NATIVE_MISTAKES,
  NativePlanter,
  PLANTED_ADDON,
  SHIPPED_ADDON,
  VARIABLE,
} from './native-mistakes.ts'

let planter: NativePlanter
beforeAll(() => {
  buildPlantedAddon()
  planter = new NativePlanter()
}, 1_800_000)
afterAll(() => planter?.close())

describe('a mistake of the native core', () => {
  it.each(
    NATIVE_MISTAKES.flatMap(([mistake, checkpoint]) =>
      ['exact', 'fast'].map((precision) => [mistake, checkpoint, precision] as const),
    ),
  )('%s is found at %s and named: %s', { timeout: 120_000 }, async (mistake, checkpoint, precision) => {
    const { verdict, divergence } = await planter.compare(mistake, precision)
    expect(verdict.exitCode).toBe(EXIT.judgedFailed)
    expect(divergence).toMatchObject({ checkpoint, origin: 'local', side: 'candidate' })
    expect(divergence!.cause?.mistake).toBe(kindOf(mistake))
  })

  it.each(['exact', 'fast'])('is nowhere where none is planted: %s', { timeout: 120_000 }, async (precision) => {
    const { verdict, divergence } = await planter.compare('', precision)
    expect(divergence).toBeUndefined()
    expect(verdict.exitCode).toBe(EXIT.ok)
  })

  it('is refused by name where it is unknown', { timeout: 120_000 }, async () => {
    await expect(planter.trace('rope-pears', 'exact')).rejects.toThrow(/NAME one of double-bos, /)
  })

  it('is not in the addon that is shipped', () => {
    expect(readFileSync(PLANTED_ADDON).includes(VARIABLE)).toBe(true)
    const shipped = readFileSync(SHIPPED_ADDON)
    for (const trace of [VARIABLE, 'wrong on purpose', 'PlantedBackend']) expect(shipped.includes(trace)).toBe(false)
  })
})
