import { open, readdir, readFile, readlink } from 'node:fs/promises'

/** A file of which a process has something mapped into its memory. */
export interface MappedFile {
  /** As the kernel tells it: ` (deleted)` behind it when that name leads elsewhere by now, or nowhere. */
  readonly path: string
  /** Major and minor number, as /proc/PID/maps writes them. */
  readonly device: string
  readonly inode: string
  readonly residentBytes: number
}

/**
 * The mapped files of a process by /proc/PID/smaps (proc_pid_maps(5), proc_pid_smaps(5)), parts of one file added up; undefined where
 * it may not be read.
 */
export async function mappedFiles(pid: number): Promise<MappedFile[] | undefined> {
  const smaps = await readFile(`/proc/${pid}/smaps`, 'utf8').catch(() => undefined)
  return smaps === undefined ? undefined : parseMappedFiles(smaps)
}

/** Pure: what smaps says of files. */
export function parseMappedFiles(smaps: string): MappedFile[] {
  const files = new Map<string, MappedFile>()
  let key: string | undefined
  for (const line of smaps.split('\n')) {
    // address range, permissions, offset, device, inode, path
    const head = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ (\S+) (\d+)\s*(.*)$/.exec(line)
    if (head !== null) {
      const [, device, inode, path] = head as unknown as [string, string, string, string]
      key = inode === '0' ? undefined : `${device} ${inode}`
      if (key !== undefined && !files.has(key)) files.set(key, { path, device, inode, residentBytes: 0 })
    } else if (key !== undefined && line.startsWith('Rss:')) {
      const file = files.get(key)!
      files.set(key, { ...file, residentBytes: file.residentBytes + Number(/\d+/.exec(line)![0]) * 1024 })
    }
  }
  return [...files.values()]
}

/** Whether the file of a mapping is a model, by its first bytes or, where it is gone, by its name. */
export async function isModelFile({ path }: MappedFile): Promise<boolean> {
  if (/\.gguf( \(deleted\))?$/i.test(path)) return true
  if (!path.startsWith('/') || path.startsWith('/dev/')) return false
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return false
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.toString('latin1') === 'GGUF'
  } catch {
    return false
  } finally {
    await file.close()
  }
}

/** Whether a process holds a GPU's device file open: NVIDIA's, or that of Windows' subsystem for Linux. */
export async function holdsGpu(pid: number): Promise<boolean> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
  return links.some((link) => /^\/dev\/(nvidia\d|nvidiactl$|nvidia-uvm$|dxg$)/.test(link))
}
