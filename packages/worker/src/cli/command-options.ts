import type { Command } from 'commander'
import type { GivenFlags } from '../config/configuration.ts'
import { environmentVariable } from '../config/options.ts'

/** Gives a command these options, and the one that is another way to write --device. */
export function addOptions(
  command: Command,
  options: readonly { flag: string; placeholder: string; help: string }[],
): void {
  for (const { flag, placeholder, help } of options) {
    command.option(`${flag} <${placeholder}>`, `${help} [${environmentVariable(flag)}]`)
  }
  command.option('--gpu-device <N>', 'the same as --device cuda:N [PLUMBLINE_GPU_DEVICE]')
}

/** What commander read, by flag: its `gpuDevice` is `--gpu-device` again. */
export function flagsOf(options: Record<string, string | boolean>): GivenFlags {
  const flag = (name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => (typeof value === 'string' ? [[flag(name), value]] : [])),
  )
}
