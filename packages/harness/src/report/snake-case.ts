/** Data with its keys in snake_case, as all JSON of Plumbline has them; values stay as they are. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [toSnake(key), snakeCase(inner)])
  return Object.fromEntries(entries)
}

const toSnake = (key: string) => key.replace(/[a-z0-9](?=[A-Z])/g, '$&_').toLowerCase()
