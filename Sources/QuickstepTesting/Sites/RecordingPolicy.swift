public import QuickstepNN
public import QuickstepTensor

/// Runs everything as it would run without a policy, and writes down what passed by.
public final class RecordingPolicy: SitePolicy {
  /// One visit of a site.
  public struct Visit: Sendable {
    /// Which site.
    public var site: Site
    /// Index of the evaluation in its run.
    public var evaluation: Int
    /// Shapes of what went in and what came out.
    public var inputShapes: [[Int]]
    /// Shapes of what came out; empty when the site threw.
    public var outputShapes: [[Int]]
  }

  /// Every visit, outer sites before the ones inside them.
  public private(set) var visits: [Visit] = []

  /// A policy that has seen nothing yet.
  public init() {}

  /// The sites visited, in order.
  public var sites: [Site] { visits.map(\.site) }

  /// Notes the visit and computes as without a policy.
  public func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    let index = visits.count
    visits.append(Visit(site: site, evaluation: context.evaluation, inputShapes: input.map(\.shape), outputShapes: []))
    let output = try compute(input)
    visits[index].outputShapes = output.map(\.shape)
    return output
  }
}
