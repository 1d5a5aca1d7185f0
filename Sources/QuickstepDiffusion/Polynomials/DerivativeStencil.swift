/// Weights a_j of the estimate f⁽ᵏ⁾(0) ≈ Σ a_j·(f(δ_j) − f(0)) that is exact for polynomials of degree n, the number of offsets.
///
/// The weights solve Σ_j a_j·δ_jⁱ/i! = [i = k] for i = 1…n, the "Difference_n" estimate of the unified sampling framework (Liu et al. 2023,
/// section 3.2). They are the k-th derivatives at 0 of the Lagrange polynomials over 0 and the offsets, which needs no linear solver
/// and keeps its digits for points close to each other.
/// - Parameters:
///   - order: k, 1…n.
///   - offsets: δ_j, distinct, finite and not 0.
/// - Returns: one weight for each offset.
package func derivativeStencil(_ order: Int, offsets: [Double]) -> [Double] {
  let nodes = [0] + offsets
  return offsets.indices.map { Polynomial(nodes: nodes, oneAt: $0 + 1).derivativeAtZero(order) }
}
