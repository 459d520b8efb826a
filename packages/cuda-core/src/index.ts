export * from './end-with-parent.ts'
export * from './engine.ts'
export * from './inspect.ts'
export * from './types.ts'
