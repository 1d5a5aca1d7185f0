import QuickstepModels
import QuickstepNN
import QuickstepTensor

/// A ControlNet with its picture as it takes it in.
struct PreparedControl {
  private let input: ControlInput
  /// `[1, C, h, w]`.
  private let hint: Tensor
  /// The branch of guidance that has the prompt.
  private let prompted = "positive"
  /// How a place in the part of the run that it is called in is a place in the whole.
  private var whole: (StepContext) -> StepContext = { $0 }

  /// - Parameter picture: `[1, C, H, W]` in 0…1, of the network's type and on its device.
  init(_ input: ControlInput, _ picture: Tensor) throws {
    self.input = input
    hint = try withTensorErrors { input.network.embedded(picture) }
  }

  /// The same, called with places within a part of the run.
  func within(_ segment: RunSegment) -> PreparedControl {
    var control = self
    control.whole = segment.whole
    return control
  }

  /// Whether it adds anything in this evaluation.
  func acts(_ context: StepContext) -> Bool {
    let place = whole(context)
    return input.acts(step: place.step, of: place.stepCount) && (!fades || context.branches.contains(prompted))
  }

  /// Where it guesses, or adds the same everywhere, it adds less on outer levels, and leaves the branch without a prompt alone.
  private var fades: Bool { input.guesses || input.network.configuration.poolsResiduals }

  /// What it adds, for all branches.
  func residuals(_ sample: Tensor, timestep: Tensor, _ conditions: [Conditioning], _ context: StepContext) throws -> ControlResiduals {
    let active = context.branches.indices.filter { !fades || context.branches[$0] == prompted }
    let share = sample.size(0) / context.branches.count
    func rows(_ tensor: Tensor) -> Tensor {
      active.count == context.branches.count
        ? tensor : .cat(active.map { tensor.narrow(0, start: share * $0, length: share) })
    }
    let seen = rows(sample)
    let residuals = try input.network(
      seen, timestep: rows(timestep), hint: hint.expand([seen.size(0)] + hint.shape.dropFirst()),
      conditioning: Conditioning.stacked(active.map { conditions[$0] }),
      strength: ControlNet.Strength(scale: input.scale, fadesOutwards: fades), evaluation: Evaluation(context))
    guard active.count < context.branches.count else { return residuals }
    func spread(_ tensor: Tensor) -> Tensor { .cat(context.branches.indices.map { active.contains($0) ? tensor : tensor.zerosLike() }) }
    return ControlResiduals(down: residuals.down.map(spread), middle: residuals.middle.map(spread))
  }
}

extension ControlInput {
  /// Whether it adds anything in a step of a run; in runs whose steps are not known beforehand it acts in all of them or is refused.
  func acts(step: Int, of count: Int) -> Bool {
    guard scale != 0, interval != 0...1 else { return scale != 0 }
    return Double(step) / Double(count) >= interval.lowerBound && Double(step + 1) / Double(count) <= interval.upperBound
  }
}

extension ControlResiduals {
  /// What both add; `nil` adds nothing.
  static func sum(_ first: ControlResiduals?, _ second: ControlResiduals) -> ControlResiduals {
    guard let first else { return second }
    let middle: Tensor? = if let a = first.middle, let b = second.middle { a + b } else { first.middle ?? second.middle }
    return ControlResiduals(down: zip(first.down, second.down).map { $0 + $1 }, middle: middle)
  }
}
