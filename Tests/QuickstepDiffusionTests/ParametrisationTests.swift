import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import Testing

@Suite struct ParametrisationTests {
  static let all: [Parametrisation] = [.epsilon, .sample, .v, .flow, .edm(sigmaData: 0.5)]
  static let levels = [
    NoiseLevel(timestep: 500, alpha: 0.8, sigma: 0.6), NoiseLevel(timestep: 1, alpha: 1, sigma: 7),
    NoiseLevel(timestep: 300, alpha: 0.7, sigma: 0.3),
  ]

  @Test(arguments: all, levels) func thereAndBack(_ kind: Parametrisation, _ level: NoiseLevel) throws {
    let output = try kind.output(denoised: 0.3, state: -1.1, at: level)
    #expect(abs(try kind.denoised(output: output, state: -1.1, at: level) - 0.3) < 1e-14)
    let state = Tensor([-1.1, 0.4], shape: [1, 2])
    let denoised = try kind.denoised(output: Tensor([output, 0.2], shape: [1, 2]), state: state, at: level)
    #expect(abs(try denoised.scalars(Double.self)[0] - 0.3) < 1e-14)
    let back = try kind.output(denoised: denoised, state: state, at: level).scalars(Double.self)
    #expect(abs(back[0] - output) < 1e-13 && abs(back[1] - 0.2) < 1e-13)
  }

  /// The definitions: x = α·x0 + σ·ε, v = α·ε − σ·x0, u = ε − x0.
  @Test(arguments: levels) func definitions(_ level: NoiseLevel) throws {
    let (x0, noise) = (0.6, -1.3)
    let x = level.alpha * x0 + level.sigma * noise
    #expect(abs(try Parametrisation.epsilon.output(denoised: x0, state: x, at: level) - noise) < 1e-13)
    #expect(abs(try Parametrisation.v.output(denoised: x0, state: x, at: level) - (level.alpha * noise - level.sigma * x0)) < 1e-13)
    #expect(abs(try Parametrisation.flow.output(denoised: x0, state: x, at: level) - (noise - x0)) < 1e-13)
  }

  /// EDM's table 1 at α = 1.
  @Test func edmPreconditioning() throws {
    let c = try Parametrisation.edm(sigmaData: 0.5).coefficients(at: NoiseLevel(timestep: 0, alpha: 1, sigma: 2))
    #expect(abs(c.input - 1 / 4.25.squareRoot()) < 1e-15)
    #expect(abs(c.skip - 0.25 / 4.25) < 1e-15)
    #expect(abs(c.out - 1 / 4.25.squareRoot()) < 1e-15)
  }

  @Test func endsOfTheRange() throws {
    let noise = NoiseLevel(timestep: 999, alpha: 0, sigma: 1)
    let clean = NoiseLevel(timestep: 0, alpha: 1, sigma: 0)
    #expect(try Parametrisation.v.denoised(output: -0.4, state: 2, at: noise) == 0.4)
    #expect(try Parametrisation.flow.denoised(output: 1.5, state: 2, at: noise) == 0.5)
    #expect { try Parametrisation.epsilon.denoised(output: 1, state: 2, at: noise) } throws: { "\($0)".contains("pure noise") }
    #expect { try Parametrisation.edm().denoised(output: 1, state: 2, at: noise) } throws: { "\($0)".contains("pure noise") }
    for kind in Self.all where kind != .sample {
      #expect(try kind.denoised(output: 5, state: 2, at: clean) == 2)
      #expect { try kind.output(denoised: 2, state: 2, at: clean) } throws: { "\($0)".contains("σ = 0") }
    }
    #expect { try Parametrisation.named("score") } throws: { "\($0)".contains("score") && "\($0)".contains("v_prediction") }
    for kind in Self.all.dropLast() { #expect(try Parametrisation.named(kind.description) == kind) }
  }
}
