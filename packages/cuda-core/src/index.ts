export * from './engine.ts'
export * from './inspect.ts'
export * from './types.ts'
