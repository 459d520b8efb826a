import type { ChatMessage } from '@plumbline/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CHATML } from '../../test/small-vocabulary.ts'
import { ChatTemplate } from './chat-template.ts'

const CONTROL = ['<|im_start|>', '<|im_end|>', '<s>', 'ss>x', '🔚']
const IDS = new Map(CONTROL.map((text, id) => [text, id]))
const user = (content: string): ChatMessage => ({ role: 'user', content })
const template = (source: string) => new ChatTemplate(source, { bos: '<s>', eos: '<|im_end|>', control: IDS })

function render(source: string, ...messages: ChatMessage[]): string {
  const { text, unmark } = template(source).render(messages)
  return unmark(text)
}

/** How often each control token stands in the text, overlapping ones too. */
const controlCounts = (text: string) =>
  CONTROL.map(
    (token) => Array.from(text).filter((_, at) => Array.from(text).slice(at).join('').startsWith(token)).length,
  )

describe('ChatTemplate', () => {
  it('renders messages, with a prompt for the answer', () => {
    expect(render(CHATML, { role: 'system', content: 'Be kind.' }, user('Hi'))).toBe(
      '<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    )
  })

  it('counts as Jinja does, and refuses to count so far that it fills the memory', () => {
    const counted = (range: string) => render(`{% for i in ${range} %}{{ i }},{% endfor %}`, user('x'))
    expect([counted('range(3)'), counted('range(1, 3)'), counted('range(5, 0, -2)'), counted('range(3, 1)')]).toEqual([
      ...['0,1,2,', '1,2,', '5,3,1,', ''],
    ])
    for (const range of ['range(100000000)', 'range(0, 1, 0)']) {
      expect(() => counted(range)).toThrow(
        expect.objectContaining({
          code: 'INVALID_REQUEST',
          errors: [
            { field: 'messages', constraint: 'chat_template', message: expect.stringContaining('may have 100000') },
          ],
        }),
      )
    }
  })

  it('renders the shape of template that Qwen2.5 has, where nobody has tools', () => {
    const source = `{%- if tools %}
    {{- '<|im_start|>system\\n# Tools' + (tools | tojson) + '<|im_end|>\\n' }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}`
    expect(render(source, user('Hi'), { role: 'assistant', content: 'Ho' }, user('?'))).toBe(
      '<|im_start|>system\nYou are Qwen.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n' +
        '<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n',
    )
  })

  it('knows bos_token and eos_token', () => {
    expect(render('{{ bos_token }}{{ messages[0].content }}{{ eos_token }}', user('Hi'))).toBe('<s>Hi<|im_end|>')
  })

  it('shows the template the messages as they are', () => {
    const trims = '[{{ messages[0].content | trim }}]'
    expect(render(trims, user(' <|im_end|> '))).toBe('[<|im_end|>]')
    expect(render(trims, user('  > a <  '))).toBe('[> a <]')
    expect(render("{{ 'yes' if 'think' in messages[0].content else 'no' }}", user('I think'))).toBe('yes')
    expect(render("{{ messages[0].content.split('</think>')[1] }}", user('a</think>b<s>'))).toBe('b<s>')
  })

  // Letters of which control tokens are made, so that they occur whole, in part, and one over the other.
  const piece = fc.constantFrom(
    '<|im_end|>',
    '<s>',
    'ss>x',
    '<',
    's',
    '>',
    'x',
    '|',
    'im_end|>',
    ' ',
    '\n',
    'hello',
    '🔚',
    '§',
    'X',
    '<|IM_END|>',
  )
  const content = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''))
  const sources = [
    CHATML,
    '<s>{{ messages[0].content | trim }}<s>',
    '<{{ messages[0].content }}>x',
    's{{ messages[0].content }}',
    // Templates that write messages differently, and make control tokens of what is none.
    '<s>{{ messages[0].content | lower }}',
    "{{ messages[0].content | replace('§', '') }}<|im_end|>",
    "{{ messages[0].content | replace('X', 'x') | replace('hello', '<s>') | trim }}",
    "{{ messages[0].content.split('§')[0] }}<{{ messages[0].content.split('§')[1] }}",
    "{% for part in messages[0].content.split(' ') %}{{ part }}{% endfor %}🔚",
  ]

  it('lets no message write a control token, not even together with the text beside it', () => {
    fc.assert(
      fc.property(content, fc.constantFrom(...sources), (content, source) => {
        expect(controlCounts(template(source).render([user(content)]).text)).toEqual(
          controlCounts(template(source).render([user('harmless')]).text),
        )
      }),
      { numRuns: 1_000 },
    )
  })

  it('says what was meant once the marks are taken out', () => {
    fc.assert(
      fc.property(content, (content) => {
        expect(render('[{{ messages[0].content | trim }}]', user(content))).toBe(`[${content.trim()}]`)
        const lower = '[{{ messages[0].content | lower | trim }}]'
        expect(render(lower, user(content))).toBe(`[${content.toLowerCase().trim()}]`)
      }),
    )
  })

  it('marks with what nobody can guess', () => {
    const source = '{{ messages[0].content }}'
    const marks = Array.from({ length: 100 }, () => {
      const { text } = template(source).render([user('<s>')])
      return text.slice(text.indexOf('<') + 1, text.indexOf('s'))
    })
    expect(new Set(marks).size).toBe(100)
    for (const mark of marks) expect([...mark].filter((character) => /\p{Co}|\p{Cn}/u.test(character))).toHaveLength(8)
  })
})
