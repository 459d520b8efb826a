import type { Subject } from '../evidence/subject.ts'
import type { MappedFile } from '../probes/mapped-files.ts'
import { type Check, fail, notMeasurable, pass } from './check.ts'

/** The file that everything rests on stayed the same all the while, and is the only model that the engine has mapped. */
export const modelFileCheck: Check = {
  name: 'model-file',
  fromInside: false,
  run({ subject, fileAfter, inside, healthBefore }) {
    const expected = `${subject.path} as it was before the worker started, and no other model mapped by the engine`
    const before = subject.file
    if (fileAfter === undefined) return fail(expected, 'the file is gone')
    if (fileAfter.sha256 !== before.sha256) {
      return fail(expected, `sha256 was ${before.sha256.slice(0, 16)}…, and is ${fileAfter.sha256.slice(0, 16)}…`)
    }
    const mapped = [inside?.before.mappedModels, inside?.after.mappedModels].flatMap((files) => files ?? [])
    const other = mapped.find((file) => !isSubject(file, subject))
    if (other !== undefined) return fail(expected, `the engine has mapped ${other.path} (inode ${other.inode})`)
    // Our own engine computes from the map.
    const ownOnCpu = inside !== undefined && inside.expectedExecutable !== null && healthBefore.health?.device === 'cpu'
    if (ownOnCpu && inside.after.mappedModels?.length === 0) return fail(expected, 'the engine has mapped no model')
    const fields = ['device', 'inode', 'modifiedNs', 'changedNs'] as const
    const moved = fields.filter((field) => fileAfter[field] !== before[field])
    if (moved.length > 0) {
      const seen = `written to or replaced meanwhile (${moved.join(', ')}), though it holds the same bytes now: run again, and leave it alone`
      return notMeasurable(expected, seen)
    }
    const how = inside === undefined ? '' : mapped.length > 0 ? ', mapped by the engine' : '; the engine maps none'
    return pass(expected, `the same, before and after${how}`)
  },
}

/**
 * By name and inode. A file system of layers or subvolumes tells stat another device than it tells the map, and then maybe another
 * inode too: there, the name must do.
 */
function isSubject({ path, device, inode }: MappedFile, { path: own, file }: Subject): boolean {
  return path === own && (device !== file.device || inode === file.inode)
}
