// Compares the trace that is named with itself, and prints the memory that it took.
import { setFlagsFromString } from 'node:v8'
import { compareTraces } from './made-up-traces.ts'

setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--heap-growing-percent=25')
const [, , path] = process.argv
const { seconds } = await compareTraces(path!, path!)
process.stdout.write(JSON.stringify({ seconds, maxRssMiB: process.resourceUsage().maxRSS / 1024 }))
