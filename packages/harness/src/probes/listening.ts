import { readdir, readFile, readlink } from 'node:fs/promises'

/** TCP_LISTEN of Linux' include/net/tcp_states.h, as /proc/net/tcp writes it. */
const LISTEN = '0A'

/**
 * Whether process `pid` holds a socket that listens at `port` (Linux; proc_pid_net(5)); undefined where nobody can see. A socket of
 * a cluster or a parent is held by several processes, and each of them listens.
 */
export async function listensAt(pid: number, port: number): Promise<boolean | undefined> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
  const sockets = new Set(tables.flatMap((table) => listeningInodes(table, port)))
  if (sockets.size === 0) return undefined
  const names = await readdir(`/proc/${pid}/fd`).catch(() => undefined)
  if (names === undefined) return undefined
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
  return links.some((link) => sockets.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''))
}

/** Pure: the inodes of the sockets that listen at a port, from /proc/net/tcp. */
export function listeningInodes(table: string, port: number): string[] {
  return table.split('\n').flatMap((line) => {
    // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
    const fields = line.trim().split(/\s+/)
    const [, local, , state] = fields
    return state === LISTEN && Number.parseInt(local!.split(':').at(-1)!, 16) === port ? [fields[9]!] : []
  })
}
