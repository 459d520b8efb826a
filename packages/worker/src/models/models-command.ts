import { CATALOG } from './catalog.ts'
import { findModel, listModels } from './local-models.ts'

/** `plumbline-worker models`: what can be served from here, and what can be pulled. */
export function describeModels(folders?: readonly string[]): string {
  const rows = listModels(folders).map(({ name, bytes, path }) => [name, describeBytes(bytes), path])
  const width = Math.max(...rows.map(([name]) => name!.length), 4)
  const here = rows.map(([name, size, path]) => `${name!.padEnd(width)}  ${size!.padStart(9)}  ${path}`)
  const elsewhere = [...CATALOG.keys()].filter((name) => findModel(name, folders) === undefined)
  return [
    ...(here.length > 0 ? here : ['No models here.']),
    ...(elsewhere.length > 0 ? ['', 'To be had with `plumbline-worker pull NAME`:', ...elsewhere] : []),
    '',
  ].join('\n')
}

export function describeBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1)
  return `${(bytes / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}
