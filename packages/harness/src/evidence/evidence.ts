import type { Challenge } from '../challenge/challenge.ts'
import type { FileIdentity } from '../probes/file-identity.ts'
import type { HealthRecord } from '../probes/health.ts'
import type { MappedFile } from '../probes/mapped-files.ts'
import type { MetricsRecord } from '../probes/metrics.ts'
import type { ProcessFacts } from '../probes/process-facts.ts'
import type { StreamRecord } from '../probes/stream-record.ts'
import type { Replay } from './replay.ts'
import type { Subject } from './subject.ts'

/** One challenge and what came of it. */
export interface Attempt {
  readonly challenge: Challenge
  readonly stream: StreamRecord
}

/** The worker's processes at one moment, as /proc has them; undefined where there is no such process. */
export interface ProcessSnapshot {
  readonly front: ProcessFacts | undefined
  readonly engine: ProcessFacts | undefined
  /** The model files that the engine has mapped; undefined where nobody can see. */
  readonly mappedModels: readonly MappedFile[] | undefined
  /** Whether the engine holds a GPU open. */
  readonly holdsGpu: boolean
  /** CPU time by pid of what else came from the process that was spawned, in milliseconds. */
  readonly othersCpuMs: Readonly<Record<number, number>>
}

/** What only the one who spawned the worker can know. */
export interface InsideEvidence {
  /** The process that the harness started. */
  readonly spawnedPid: number
  /** Milliseconds since 1970. */
  readonly spawnedAtMs: number
  /** The pid in its `listening` line. */
  readonly readyPid: number
  /** Whether the front process holds the socket that answers; undefined where nobody can see. */
  readonly frontListens: boolean | undefined
  /** The front process and its parents, upwards. */
  readonly frontAncestors: readonly number[]
  /** The program that the front and the engine must be; null when the command line is not our own. */
  readonly expectedExecutable: string | null
  /** Before the first stream and after the last one. */
  readonly before: ProcessSnapshot
  readonly after: ProcessSnapshot
}

/** The end of a worker that nobody asked for: in words, and its last lines. */
export interface WorkerEnd {
  readonly how: string
  readonly logTail: readonly string[]
}

/** What the worker was told when it was started; undefined where it chose for itself, or was found. */
export interface Asked {
  readonly workerId: string | undefined
  readonly device: string | undefined
  readonly precision: 'fast' | 'exact' | undefined
}

/** All that a verdict rests on. Checkers read it and nothing else. */
export interface Evidence {
  /** The claimed model, as the harness itself reads its file. */
  readonly subject: Subject
  /** Whether the harness started the worker, and so has it to itself; otherwise it was found at --url. */
  readonly spawned: boolean
  readonly asked: Asked
  readonly attempts: readonly Attempt[]
  /** The last challenge once more, with the same seed; undefined when the run ended before. */
  readonly repeat: StreamRecord | undefined
  readonly probe: StreamRecord | undefined
  /** Probes made before it that were too quick, or on too busy a machine, to tell. */
  readonly earlierProbes: readonly StreamRecord[]
  /** /health once it was healthy, and after the last stream; undefined when it could not be asked. */
  readonly healthBefore: HealthRecord
  readonly healthAfter: HealthRecord | undefined
  readonly metricsBefore: MetricsRecord | undefined
  readonly metricsAfter: MetricsRecord | undefined
  /** undefined with --url, and where there is no /proc. */
  readonly inside: InsideEvidence | undefined
  /** How the worker ended, when it ended before it was asked to. */
  readonly workerEnd: WorkerEnd | undefined
  readonly replays: readonly Replay[]
  /** The model's file once everything was read from it; undefined when it is gone. */
  readonly fileAfter: FileIdentity | undefined
}

/** All streams, in the order in which they were asked for. */
export function allStreams(
  evidence: Pick<Evidence, 'attempts' | 'repeat' | 'probe' | 'earlierProbes'>,
): StreamRecord[] {
  const { attempts, repeat, probe, earlierProbes } = evidence
  const streams = [...attempts.map((attempt) => attempt.stream), repeat, ...earlierProbes, probe]
  return streams.filter((stream) => stream !== undefined)
}
