/** Four significant digits at most; what is not finite by its name. */
export function numberText(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return String(value).replace('Infinity', '∞').replace('-', '−')
  if (value === 0) return '0'
  const size = Math.abs(value)
  const text =
    size >= 1e-3 && size < 1e5
      ? String(Number(value.toPrecision(digits)))
      : shortExponent(value.toExponential(digits - 1))
  return text.replaceAll('-', '−')
}

const shortExponent = (text: string) => text.replace(/\.?0*e\+?/, 'e')

/** A share of 1 as per cent: never rounded to 100 or to 0 from anything else. */
export function percentText(share: number): string {
  if (share === 1 || share === 0) return `${share * 100} %`
  const percent = share * 100
  if (percent >= 99.95) return '> 99.9 %'
  return `${Number(percent.toPrecision(percent >= 10 ? 3 : 2))} %`
}

/** `3 positions`, `1 position` */
export function countText(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}
