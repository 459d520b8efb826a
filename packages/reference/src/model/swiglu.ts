/** silu(gate) * up (Shazeer, "GLU variants improve transformer", arXiv 2002.05202), where silu(x) = x / (1 + exp(-x)). */
export function swiglu(gate: Float64Array, up: Float64Array): Float64Array {
  return gate.map((x, i) => (x / (1 + Math.exp(-x))) * up[i]!)
}
