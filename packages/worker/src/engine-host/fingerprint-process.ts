/** A process of its own for one weights fingerprint: reads the GGUF that its argument names, and prints it. */
import { readWeights } from '@plumbline/cuda-core'
import { WeightsFingerprint } from '@plumbline/protocol/model-identity'

const fingerprint = new WeightsFingerprint()
readWeights(process.argv[2]!, (name, shape, values) => fingerprint.add(name, shape, values))
process.stdout.write(fingerprint.digest())
