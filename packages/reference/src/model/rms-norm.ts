/**
 * Root mean square layer normalisation (Zhang and Sennrich, NeurIPS 2019, arXiv 1910.07467), row by row:
 * x / sqrt(mean(x^2) + epsilon) * weight. x: [count, weight.length].
 */
export function rmsNorm(x: Float64Array, weight: Float32Array, epsilon: number): Float64Array {
  const width = weight.length
  const y = new Float64Array(x.length)
  for (let row = 0; row < x.length; row += width) {
    let squares = 0
    for (let i = 0; i < width; i++) squares += x[row + i]! ** 2
    const scale = 1 / Math.sqrt(squares / width + epsilon)
    for (let i = 0; i < width; i++) y[row + i] = x[row + i]! * scale * weight[i]!
  }
  return y
}
