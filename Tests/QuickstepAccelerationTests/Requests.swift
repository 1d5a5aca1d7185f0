import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// A run of `steps` evaluations of the toy network, as ``SitePolicyLaws`` makes it.
func outline(_ network: ToyNetwork, steps: Int) -> RunOutline {
  let calls = (0..<steps).map { step in
    let progress = Double(step) / Double(steps)
    return RunOutline.Call(step: step, level: NoiseLevel(timestep: 1000 * (1 - progress), alpha: progress, sigma: 1 - progress))
  }
  var outline = RunOutline(network: "the toy network", stepCount: steps, calls: calls, sites: network.sites)
  outline.trainedTime = 1000
  return outline
}

/// A method as on a command line; lists of numbers have commas as well.
func method(_ text: String) throws -> any Accelerator {
  let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
  var parameters: [String: String] = [:]
  var last: String?
  for pair in parts.count < 2 ? [] : parts[1].split(separator: ",").map(String.init) {
    if let last, Double(pair) != nil {
      parameters[last]? += "," + pair
      continue
    }
    let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
    (parameters[sides[0]], last) = (sides[1], sides[0])
  }
  return try AllAccelerators.make(parts[0], parameters)
}

/// A method on a run.
func acceleration(_ text: String, _ run: RunOutline) throws -> Acceleration { try Acceleration([method(text)], run: run) }

/// A method on a run of the toy network.
func acceleration(_ text: String, _ network: ToyNetwork, steps: Int) throws -> Acceleration {
  try acceleration(text, outline(network, steps: steps))
}
