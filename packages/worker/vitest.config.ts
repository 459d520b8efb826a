import shared from '../../vitest.shared.ts'

// Most of these tests wait for processes to start, which a machine that is slow and busy does ten times slower than a quiet one.
export default { ...shared, test: { ...shared.test, testTimeout: 240_000 } }
