import type { Health } from '@plumbline/protocol'
import type { FastifyInstance } from 'fastify'
import type { Worker } from '../server/worker.ts'
import { readHealth } from './health.ts'

export function statusPageRoute(server: FastifyInstance, worker: Worker): void {
  server.get('/', async (_request, reply) => {
    await worker.freshMemory()
    reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    return reply.type('text/html; charset=utf-8').send(statusPage(readHealth(worker)))
  })
}

function statusPage(health: Health): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  const rows: [string, string][] = [
    ['Model', `${health.model} (${health.architecture ?? '…'}, ${health.quant_kind ?? '…'})`],
    ['Model sha256', health.model_sha256 ?? 'being computed'],
    ['Device', `${health.device} (${health.backend ?? '…'}, ${health.precision})`],
    ['Built for', health.built_backends?.join(', ') ?? '…'],
    ['Context', health.context_length === null ? '…' : `${health.context_length} tokens`],
    ['Tokenizer', `${health.tokenizer_kind ?? '…'}, ${health.vocab_size ?? '…'} tokens`],
    ['Memory', mebibytes(health.memory_bytes_used)],
    ['Device memory', mebibytes(health.vram_bytes_used)],
    ['Jobs', `${health.queue.active} active, ${health.queue.waiting} waiting`],
    [
      'Engine',
      `${health.engine.state}, process ${health.engine.pid ?? '-'}, restarted ${health.engine.restarts} times`,
    ],
    ['Up for', `${Math.floor(health.uptime_seconds)} s`],
    ['Worker', `${health.worker_id}, version ${health.version}`],
  ]
  const cells = rows.map(([name, value]) => `<tr><th>${name}</th><td>${escapeHtml(value)}</td></tr>`).join('\n')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<title>Plumbline: ${health.status}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark }
  th { text-align: left; padding-right: 2rem; font-weight: 600; vertical-align: top }
  td { overflow-wrap: anywhere }
</style>
<h1>Plumbline worker: ${health.status}</h1>
<table>
${cells}
</table>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
