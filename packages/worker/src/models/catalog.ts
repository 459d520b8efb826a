/** A model that `pull` fetches from the Hugging Face Hub. */
export interface CatalogEntry {
  /** Of the file in the models folder. */
  readonly file: string
  /** Repository and path on the Hub. */
  readonly source: string
}

const qwen = (type: string): CatalogEntry => {
  const file = `qwen2.5-0.5b-instruct-${type}.gguf`
  return { file, source: `Qwen/Qwen2.5-0.5B-Instruct-GGUF/resolve/main/${file}` }
}

/** By the name that `pull` and `--model` take; the one that names no type is the Q8_0 (local-models.ts). */
export const CATALOG: ReadonlyMap<string, CatalogEntry> = new Map([
  ['qwen2.5-0.5b-instruct', qwen('q8_0')],
  ['qwen2.5-0.5b-instruct-fp16', qwen('fp16')],
  ['qwen2.5-0.5b-instruct-q4_k_m', qwen('q4_k_m')],
])

/** `HF_ENDPOINT` names a mirror, as it does for the Hub's own tools. */
export function hubUrl({ source }: CatalogEntry, environment: NodeJS.ProcessEnv = process.env): string {
  return new URL(source, `${environment.HF_ENDPOINT || 'https://huggingface.co'}/`).href
}
