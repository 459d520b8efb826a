import { readdir, readFile, readlink } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'

/** TCP_LISTEN of Linux' include/net/tcp_states.h, as /proc/net/tcp writes it. */
const LISTEN = '0A'

/**
 * Whether process `pid` holds a socket that listens at `url`, which must be of this machine (Linux; proc_pid_net(5)); undefined where
 * nobody can see. A socket of a cluster or a parent is held by several processes, and each of them listens.
 */
export async function listensAt(pid: number, url: string): Promise<boolean | undefined> {
  const { hostname, port, protocol } = new URL(url)
  if (!isThisMachine(hostname)) return false
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
  if (tables.every((table) => table === '')) return undefined
  const number = Number(port) || (protocol === 'https:' ? 443 : 80)
  const sockets = new Set(tables.flatMap((table) => listeningInodes(table, number)))
  const names = await readdir(`/proc/${pid}/fd`).catch(() => undefined)
  if (names === undefined) return undefined
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
  return links.some((link) => sockets.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''))
}

function isThisMachine(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (address === 'localhost' || address.startsWith('127.')) return true
  return Object.values(networkInterfaces()).some((found) => found?.some((own) => own.address === address))
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
