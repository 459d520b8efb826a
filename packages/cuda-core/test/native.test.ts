import { expectAllSuites, nativeTest } from './native-run.ts'

nativeTest('the GoogleTest suites pass', process.execPath, ['scripts/test-native.mjs'], expectAllSuites)
