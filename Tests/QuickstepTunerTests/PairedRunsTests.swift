import QuickstepAcceleration
import QuickstepNN
import QuickstepPipelines
import QuickstepTuner
import Synchronization
import Testing

/// Ways that take turns.
@Suite struct PairedRunsTests {
  /// Notes of how many steps the runs are that it sees.
  private final class RunLengths: RunObserver {
    private let seen = Mutex<[Int]>([])
    var all: [Int] { seen.withLock { $0 } }

    func denoised(_ evaluation: RunEvaluation) throws {
      if evaluation.context.evaluation == 0 { seen.withLock { $0.append(evaluation.context.stepCount) } }
    }
  }

  @Test("models that share a way are warmed, with as few steps as let each have one")
  func warming() throws {
    let model = try TinyModel.load()
    let plain = TinyModel.request(model)
    let lengths = [RunLengths(), RunLengths(), RunLengths()]
    var ways = try ["", "fora", "stitch:models=\(TinyModel.folder("dit")),fraction=0.1"].enumerated().map { index, method in
      var way = PairedRuns.Way(label: "way \(index)", request: plain)
      way.request.accelerations = try method.isEmpty ? [] : [MethodChoice(parsing: method)]
      way.request.observers = [lengths[index]]
      way.companions = try ImagePipeline.companions(of: way.request, like: model)
      return way
    }
    ways = try PairedRuns(ways, model: model).ways
    #expect(ways.compactMap(\.problem) == [])
    // A tenth of eight steps is the first one that is rounded to a whole step.
    #expect(lengths.map(\.all) == [[2, 12], [12], [8, 12]])
    #expect(ways[1].possibleModules > ways[1].modules && ways[2].possibleModules == 0)
  }
}
