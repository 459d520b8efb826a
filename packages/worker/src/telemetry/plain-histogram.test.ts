import { Histogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { PlainHistogram } from './plain-histogram.ts'

test('is scraped as the library would have it', async () => {
  const bounds = [0.001, 0.5, 2]
  const [registry, libraryRegistry] = [new Registry(), new Registry()]
  const histogram = new PlainHistogram('seconds', 'how long', bounds, registry)
  const library = new Histogram({ name: 'seconds', help: 'how long', buckets: bounds, registers: [libraryRegistry] })
  expect(await registry.metrics()).toBe(await libraryRegistry.metrics())
  for (const value of [0, 0.001, 0.002, 0.5, 1, 2, 3, 1e9]) {
    histogram.observe(value)
    library.observe(value)
  }
  expect(await registry.metrics()).toBe(await libraryRegistry.metrics())
})
