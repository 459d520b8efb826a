// @ts-check
// The map of a parity report: draws it from the JSON in the page, and shows the values of the cell that is chosen.
// Everything from the data goes into the page as text, never as markup.
;(() => {
  /** @typedef {import('../heat-map-section.ts').HeatMapData} HeatMapData */
  const block = document.getElementById('map-data')
  if (block === null) return
  /** @type {HeatMapData} */
  const data = JSON.parse(/** @type {string} */ (block.textContent))
  const codes = decodeCodes(data.codes)
  const STRIP_COLUMNS = 256
  const MOST_BARS = 128
  const steps = data.steps.length
  const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id))
  const slider = /** @type {HTMLInputElement} */ (byId('token'))
  const strip = /** @type {HTMLCanvasElement} */ (byId('strip'))

  /** step: -1 for the worst of all tokens; position: of the sample that is shown, null for the worst */
  const chosen = { cell: data.first.cell, step: -1, position: data.first.position }
  /** @type {HTMLElement[]} */
  const cellElements = []
  /** Cells by row and column, for the arrow keys: -1 where there is none. */
  const grid = data.rows.map((row) => row.cells)

  byId('map').append(mapTable())
  slider.addEventListener('input', () => choose({ step: Number(slider.value) - 1, position: null }))
  byId('map').addEventListener('keydown', moveByKey)
  byId('map').addEventListener('focusin', chooseByEvent)
  byId('map').addEventListener('click', chooseByEvent)
  if (steps > 1 && data.rows.length > 1) {
    byId('strip-box').hidden = false
    byId('strip-first').textContent = `position ${data.steps[0][0]}`
    byId('strip-last').textContent = `${data.steps[steps - 1][1]}`
    strip.width = stretches(STRIP_COLUMNS).length
    strip.height = data.rows.length
    strip.style.height = `${Math.max(48, Math.min(data.rows.length * 8, 360))}px`
    strip.addEventListener('click', chooseByStrip)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawStrip)
    drawStrip()
  }
  draw()

  /** @param {Partial<typeof chosen>} change */
  function choose(change) {
    Object.assign(chosen, change)
    draw()
  }

  /** @param {Event} event */
  function chooseByEvent(event) {
    const cell = cellElements.indexOf(
      /** @type {HTMLElement} */ (/** @type {Element} */ (event.target).closest('[data-cell]')),
    )
    if (cell >= 0 && cell !== chosen.cell) choose({ cell, position: chosen.step < 0 ? null : chosen.position })
  }

  /** @param {KeyboardEvent} event */
  function moveByKey(event) {
    if (event.altKey || event.metaKey) return
    const row = grid.findIndex((cells) => cells.includes(chosen.cell))
    const column = grid[row].indexOf(chosen.cell)
    const inRow = grid[row].filter((cell) => cell >= 0)
    const at = inRow.indexOf(chosen.cell)
    const target = {
      ArrowLeft: () => inRow[at - 1],
      ArrowRight: () => inRow[at + 1],
      ArrowUp: () => nearest(row - 1, -1, column),
      ArrowDown: () => nearest(row + 1, 1, column),
      Home: () => (event.ctrlKey ? 0 : inRow[0]),
      End: () => (event.ctrlKey ? data.cells.length - 1 : inRow[inRow.length - 1]),
      PageUp: () => nearest(Math.max(row - 8, 0), 1, column),
      PageDown: () => nearest(Math.min(row + 8, grid.length - 1), -1, column),
    }[event.key]
    if (event.key === 'Enter') byId('cell').focus()
    else if (target === undefined) return
    else cellElements[target() ?? chosen.cell].focus()
    event.preventDefault()
  }

  /** The cell of a row that is nearest to a column; of the rows beyond where that row has none. */
  function nearest(/** @type {number} */ row, /** @type {number} */ direction, /** @type {number} */ column) {
    for (let at = row; grid[at] !== undefined; at += direction) {
      const cells = grid[at]
        .map((cell, i) => ({ cell, distance: Math.abs(i - column) }))
        .filter(({ cell }) => cell >= 0)
      if (cells.length > 0) return cells.reduce((best, each) => (each.distance < best.distance ? each : best)).cell
    }
    return undefined
  }

  /** @param {MouseEvent} event */
  function chooseByStrip(event) {
    const box = strip.getBoundingClientRect()
    const columns = stretches(STRIP_COLUMNS)
    const column = Math.min(columns.length - 1, Math.floor(((event.clientX - box.left) / box.width) * columns.length))
    const row = Math.min(grid.length - 1, Math.floor(((event.clientY - box.top) / box.height) * grid.length))
    const worsts = grid[row]
      .filter((cell) => cell >= 0)
      .map((cell) => ({ cell, step: worstStep(cell, columns[column]) }))
    const { cell, step } = worsts.reduce((worst, each) =>
      excess(each.cell, each.step) > excess(worst.cell, worst.step) ? each : worst,
    )
    slider.value = String(step + 1)
    choose({ cell, step, position: null })
  }

  // ---- what an error is

  function decodeCodes(/** @type {string} */ text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
    const view = new DataView(bytes.buffer)
    return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true))
  }

  function codeAt(/** @type {number} */ cell, /** @type {number} */ step) {
    if (step >= 0) return codes[cell * steps + step]
    return codes.subarray(cell * steps, (cell + 1) * steps).reduce((worst, code) => Math.max(worst, code), 0)
  }

  /**
   * All steps, as at most so many stretches [from, to): what is drawn narrower than a pixel could be lost.
   * @param {number} most
   */
  function stretches(most) {
    const each = Math.ceil(steps / most)
    return Array.from({ length: Math.ceil(steps / each) }, (_, i) => [i * each, Math.min((i + 1) * each, steps)])
  }

  function worstStep(/** @type {number} */ cell, /** @type {number[]} */ [from, to]) {
    let worst = from
    for (let step = from + 1; step < to; step++) if (codeAt(cell, step) > codeAt(cell, worst)) worst = step
    return worst
  }

  /** log10 of the NMSE that a code stands for. */
  function decade(/** @type {number} */ code) {
    return (code - 2) / data.codeScale.perDecade + data.codeScale.smallest
  }

  /** Decades beyond the tolerance; where no difference is tolerated, any at all is beyond. */
  function excess(/** @type {number} */ cell, /** @type {number} */ step) {
    const code = codeAt(cell, step)
    if (code === 0) return -99
    if (code === 1) return -90
    if (code === 65535) return 99
    const { tolerance } = data.cells[cell]
    return tolerance > 0 ? decade(code) - Math.log10(tolerance) : Math.max(0.001, decade(code) + 16)
  }

  function level(/** @type {number} */ decades) {
    if (decades === -99) return 'none'
    if (decades === -90) return 'equal'
    if (decades === 99) return 'nonfinite'
    // A code is exact to a thousandth of a decade: what is equal to its tolerance must not look beyond it.
    if (decades <= 0.001 && decades !== 0.001)
      return decades > -1 ? 'under-1' : decades > -3 ? 'under-2' : decades > -6 ? 'under-3' : 'under-4'
    return decades < 2 ? 'over-1' : decades < 5 ? 'over-2' : decades < 8 ? 'over-3' : 'over-4'
  }

  function powerText(/** @type {number} */ code) {
    if (code === 0) return '·'
    if (code === 1) return '='
    if (code === 65535) return '×'
    return String(Math.round(decade(code))).replace('-', '−')
  }

  function nmseText(/** @type {number} */ code) {
    if (code === 0) return 'not compared'
    if (code === 1) return 'equal bits'
    if (code === 65535) return 'NMSE not finite'
    return `NMSE ${number(10 ** decade(code))}`
  }

  function distanceText(/** @type {number} */ cell, /** @type {number} */ step) {
    const decades = excess(cell, step)
    if (decades <= -90) return ''
    if (decades === 99) return ', beyond tolerance'
    if (data.cells[cell].tolerance === 0) return ', beyond tolerance (none is allowed)'
    const factor = number(10 ** Math.abs(decades))
    return level(decades).startsWith('over') ? `, ${factor} × the tolerance` : `, ${factor} × below the tolerance`
  }

  function number(/** @type {number | string} */ value, digits = 3) {
    if (typeof value === 'string') return value.replace('Infinity', '∞').replace('-', '−')
    if (value === 0) return '0'
    const size = Math.abs(value)
    const text =
      size >= 1e-3 && size < 1e6
        ? String(Number(value.toPrecision(digits)))
        : value.toExponential(digits - 1).replace(/\.?0*e\+?/, 'e')
    return text.replaceAll('-', '−')
  }

  function positionText(/** @type {number} */ position) {
    const step = data.steps.find(([first, last]) => first <= position && position <= last)
    return step?.[2] === undefined ? `position ${position}` : `position ${position}, ${step[2]}`
  }

  function stepText(/** @type {number} */ step) {
    if (step < 0) return 'all: each cell shows its worst'
    const [first, last] = data.steps[step]
    return first === last ? positionText(first) : `positions ${first} to ${last}: the worst`
  }

  // ---- drawing

  /**
   * @param {string} tag
   * @param {Record<string, string>} attributes
   * @param {(Node | string)[]} children
   */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
    made.append(...children)
    return made
  }

  function mapTable() {
    const heads = data.ops.map((op) => element('th', { scope: 'col' }, element('span', {}, op)))
    const head = element(
      'thead',
      {},
      element('tr', {}, element('th', { scope: 'col', class: 'corner' }, 'layer'), ...heads),
    )
    const rows = data.rows.map((row) => {
      const cells = row.cells.map((cell) => {
        if (cell < 0) return element('td', { class: 'none' })
        const made = element('td', {
          'data-cell': '',
          role: 'gridcell',
          tabindex: '-1',
          ...(row.isLayer ? {} : { colspan: String(Math.max(1, data.ops.length)) }),
        })
        cellElements[cell] = made
        return made
      })
      const label = row.isLayer ? element('th', { scope: 'row' }, row.label) : element('td')
      return element('tr', {}, label, ...cells)
    })
    const table = element(
      'table',
      { role: 'grid', class: 'heat', 'aria-labelledby': 'map-title', 'aria-describedby': 'map-help' },
      ...(heads.length > 0 ? [head] : []),
      element('tbody', {}, ...rows),
    )
    table.style.maxWidth = `${60 + Math.max(4, data.ops.length) * 48}px`
    return table
  }

  function draw() {
    for (const [cell, made] of cellElements.entries()) {
      const code = codeAt(cell, chosen.step)
      const { name, layer } = data.cells[cell]
      made.className = level(excess(cell, chosen.step))
      const sign = cell === data.first.cell && data.first.position !== null ? '▸' : ''
      const power = `${sign}${powerText(code)}`
      made.textContent = layer === '' ? `${name} ${power}` : power
      const label = `${name} ${power}${sign && ', the first divergence'}: ${nmseText(code)}`
      made.setAttribute('aria-label', `${label}${distanceText(cell, chosen.step)}`)
      made.setAttribute('aria-selected', String(cell === chosen.cell))
      made.tabIndex = cell === chosen.cell ? 0 : -1
    }
    byId('token-name').textContent = stepText(chosen.step)
    slider.setAttribute('aria-valuetext', stepText(chosen.step))
    const code = codeAt(chosen.cell, chosen.step)
    byId('cell-summary').textContent =
      `${data.cells[chosen.cell].name}${chosen.step < 0 && steps > 1 ? ', worst token' : ''}: ${nmseText(code)}${distanceText(chosen.cell, chosen.step)}`
    byId('cell').replaceChildren(...cellDetail())
  }

  function drawStrip() {
    const context = /** @type {CanvasRenderingContext2D} */ (strip.getContext('2d'))
    const probe = element('span', { class: 'swatch' })
    document.body.append(probe)
    /** @type {Record<string, string>} */
    const colours = {}
    const colour = (/** @type {string} */ name) => {
      if (colours[name] === undefined) {
        probe.className = `swatch ${name}`
        colours[name] = getComputedStyle(probe).backgroundColor
      }
      return colours[name]
    }
    for (const [row, cells] of grid.entries()) {
      const there = cells.filter((cell) => cell >= 0)
      for (const [column, stretch] of stretches(STRIP_COLUMNS).entries()) {
        const worst = Math.max(-99, ...there.map((cell) => excess(cell, worstStep(cell, stretch))))
        context.fillStyle = colour(level(worst))
        context.fillRect(column, row, 1, 1)
      }
    }
    probe.remove()
  }

  function cellDetail() {
    const cell = data.cells[chosen.cell]
    const shown = shownSample()
    const coverage =
      cell.compared === cell.width
        ? `all ${cell.width} values of a row compared`
        : `${cell.compared} of ${cell.width} values of a row compared`
    const tolerance = cell.tolerance === 0 ? 'no difference tolerated' : `tolerance NMSE ${number(cell.tolerance)}`
    const beyond = `${cell.exceeding} of ${cell.positions} positions beyond it`
    return [
      element('h3', {}, element('code', {}, cell.name)),
      element('p', {}, `${coverage}; ${tolerance}; ${beyond}.`),
      ...(steps > 1 ? [tokenBars(shown?.position)] : []),
      ...sampleDetail(shown),
    ]
  }

  /** The chosen cell's error at each token; `shown`: the position whose values are below. */
  function tokenBars(/** @type {number | undefined} */ shown) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    const bars = stretches(MOST_BARS)
    svg.setAttribute('viewBox', `0 0 ${bars.length} 60`)
    svg.setAttribute('preserveAspectRatio', 'none')
    svg.setAttribute('aria-hidden', 'true')
    svg.setAttribute('class', 'bars')
    const used = Array.from({ length: steps }, (_, step) => codeAt(chosen.cell, step)).filter(
      (code) => code > 1 && code < 65535,
    )
    const { tolerance } = data.cells[chosen.cell]
    const limits = [...used.map(decade), ...(tolerance > 0 ? [Math.log10(tolerance)] : [])]
    const low = limits.reduce((least, each) => Math.min(least, each), Infinity) - 1
    const high = limits.reduce((most, each) => Math.max(most, each), -Infinity) + 0.5
    const height = (/** @type {number} */ at) => (high > low ? Math.max(1, (60 * (at - low)) / (high - low)) : 1)
    const shape = (/** @type {string} */ tag, /** @type {Record<string, number | string>} */ attributes) => {
      const made = document.createElementNS('http://www.w3.org/2000/svg', tag)
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
      svg.append(made)
      return made
    }
    const gap = bars.length > 100 ? 0 : 0.06
    for (const [bar, stretch] of bars.entries()) {
      const step = worstStep(chosen.cell, stretch)
      const code = codeAt(chosen.cell, step)
      const tall = code <= 1 ? code : code === 65535 ? 60 : height(decade(code))
      const [first, last] = [data.steps[stretch[0]][0], data.steps[stretch[1] - 1][1]]
      const isShown =
        shown === undefined ? stretch[0] <= chosen.step && chosen.step < stretch[1] : first <= shown && shown <= last
      const barClass = `bar ${level(excess(chosen.cell, step))}${isShown ? ' chosen' : ''}`
      shape('rect', { x: bar + gap, y: 60 - tall, width: 1 - 2 * gap, height: tall, class: barClass })
      shape('rect', { x: bar, y: 0, width: 1, height: 60, class: 'target' }).addEventListener('click', () => {
        slider.value = String(step + 1)
        choose({ step, position: null })
      })
    }
    if (tolerance > 0)
      shape('line', {
        x1: 0,
        x2: bars.length,
        y1: 60 - height(Math.log10(tolerance)),
        y2: 60 - height(Math.log10(tolerance)),
        class: 'limit',
      })
    const first = data.steps[0][0]
    const last = data.steps[steps - 1][1]
    const caption = element(
      'figcaption',
      {},
      element('span', {}, `position ${first}`),
      element('span', { class: 'what' }, 'NMSE by position, logarithmic; dotted: the tolerance'),
      element('span', {}, `${last}`),
    )
    return element('figure', {}, svg, caption)
  }

  /** Of the chosen cell's samples the chosen position's, or the worst of the chosen step. */
  function shownSample() {
    const [first, last] = chosen.step < 0 ? [0, Infinity] : data.steps[chosen.step]
    const inStep = data.samples[chosen.cell].filter(({ position }) => first <= position && position <= last)
    const nmse = data.metricNames.indexOf('nmse')
    const size = (/** @type {HeatMapData['samples'][number][number]} */ { metrics }) =>
      typeof metrics[nmse] === 'number' ? metrics[nmse] : Infinity
    const worstFirst = inStep.toSorted((a, b) => size(b) - size(a))
    return inStep.find(({ position }) => position === chosen.position) ?? worstFirst[0]
  }

  /** @param {ReturnType<typeof shownSample> | undefined} shown */
  function sampleDetail(shown) {
    const samples = data.samples[chosen.cell]
    if (samples.length === 0) return []
    const buttons = samples.map((sample) => {
      const button = element(
        'button',
        { type: 'button', 'aria-pressed': String(sample === shown) },
        positionText(sample.position),
      )
      button.addEventListener('click', () => {
        const step =
          chosen.step < 0
            ? -1
            : data.steps.findIndex(([first, last]) => first <= sample.position && sample.position <= last)
        slider.value = String(step + 1)
        choose({ step, position: sample.position })
        const again = /** @type {HTMLElement | null} */ (byId('cell').querySelector('[aria-pressed=true]'))
        again?.focus()
      })
      return button
    })
    const chooser = element(
      'div',
      { class: 'positions', role: 'group', 'aria-label': 'Positions with values' },
      'Values at ',
      ...buttons,
    )
    if (shown === undefined)
      return [
        element(
          'p',
          { class: 'note' },
          'The values of this token are not in this page, only a sample of the worst is.',
        ),
        chooser,
      ]
    return [chooser, metricsTable(shown), valuesTable(shown)]
  }

  /** @param {HeatMapData['samples'][number][number]} sample */
  function metricsTable(sample) {
    /** @type {Record<string, string>} */
    const names = {
      max_abs: 'max abs',
      mean_abs: 'mean abs',
      relative_l2: 'relative L2',
      nmse: 'NMSE',
      cosine: 'cosine',
      max_ulp: 'max ULP',
    }
    const parts = data.metricNames.map((name, i) =>
      element(
        'div',
        {},
        element('dt', {}, names[name] ?? name),
        element('dd', {}, number(sample.metrics[i], name === 'cosine' ? 6 : 3)),
      ),
    )
    return element('dl', { class: 'metrics', 'aria-label': `Metrics at ${positionText(sample.position)}` }, ...parts)
  }

  /** @param {HeatMapData['samples'][number][number]} sample */
  function valuesTable(sample) {
    if (sample.values.length === 0)
      return element('p', { class: 'note' }, 'No values of this position are held by both sides.')
    const head = ['column', 'candidate', 'reference', 'difference'].map((name) => element('th', { scope: 'col' }, name))
    const rows = sample.values.map(([column, candidate, reference, difference]) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, String(column)),
        ...[number(candidate, 7), number(reference, 7), number(difference, 3)].map((text) => element('td', {}, text)),
      ),
    )
    const place = `at ${positionText(sample.position)}`
    const caption =
      sample.values[0][3] === 0
        ? `All ${sample.held} values are equal ${place}; the first ${sample.values.length}`
        : `The ${sample.values.length} largest differences of ${sample.held} ${place}`
    const table = element(
      'table',
      { class: 'figures values' },
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, ...head)),
      element('tbody', {}, ...rows),
    )
    return element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Values' }, table)
  }
})()
