import { expect, it } from 'vitest'
import { BYTE_LEVEL_CHARACTERS, bytesOfByteLevel } from './byte-level.ts'

it('gives every byte one character, and reads it back', () => {
  expect(new Set(BYTE_LEVEL_CHARACTERS).size).toBe(256)
  expect(bytesOfByteLevel(BYTE_LEVEL_CHARACTERS.join(''))).toEqual(Uint8Array.from({ length: 256 }, (_, byte) => byte))
})

it('writes bytes as GPT-2 does', () => {
  expect(bytesOfByteLevel('ĠHelloĊ')).toEqual(new TextEncoder().encode(' Hello\n'))
  expect(bytesOfByteLevel('ðŁ¦Ļ')).toEqual(new TextEncoder().encode('🦙'))
})

it('takes a character that stands for no byte as its own UTF-8', () => {
  expect(bytesOfByteLevel('世')).toEqual(new TextEncoder().encode('世'))
})
