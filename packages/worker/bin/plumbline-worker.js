#!/usr/bin/env node
// biome-ignore lint/style/noRestrictedImports: enableCompileCache loads nothing; by name it could not be left out where Node lacks it
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

// What is compiled is kept from one start to the next, which saves a third of a start. Not where Node would keep it: anybody may write
// to the folder for temporary files. The processes that this one starts find it in their environment. Node has it since 22.8.
process.env.NODE_COMPILE_CACHE ||= join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'plumbline', 'modules')
module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE)

const { run } = await import('../dist/cli.js')
process.exit(await run(process.argv.slice(2)))
