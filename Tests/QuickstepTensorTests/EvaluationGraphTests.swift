import QuickstepTensor
import QuickstepTesting
import Testing

/// What a graph does around its recorder. The recorder is one that does the work again: no GPU is needed.
@Suite struct EvaluationGraphTests {
  private func values(_ tensors: [Tensor]) throws -> [Float] { try tensors.flatMap { try $0.scalars(Float.self) } }
  private let work: EvaluationGraph.Work = { [$0[0] * 2 + $0[1], $0[1]] }

  @Test func twoRunsThenARecording() throws {
    let recorder = RepeatingRecorder()
    let first = [Tensor([1, 2] as [Float]), Tensor([10, 20] as [Float])]
    let graph = try EvaluationGraph(recorder, inputs: first)
    var kept: [[Tensor]] = []
    for call in 0..<5 {
      let inputs = [Tensor([Float(call), 1]), Tensor([Float(10 * call), 3])]
      let outputs = try graph(inputs, work)
      kept.append(outputs)
      #expect(try values(outputs) == values(work(inputs)))
      #expect(try values(inputs) == [Float(call), 1, Float(10 * call), 3], "inputs are left as they are")
      #expect(graph.replays == max(0, call - 1))
    }
    #expect(recorder.apart == 2 && recorder.recorded == 1 && recorder.played == 3)
    // What was handed out is not what later runs write to.
    for (call, outputs) in kept.enumerated() { #expect(try values(outputs)[0] == Float(12 * call)) }
  }

  @Test func onlyWhatIsNewIsCopied() throws {
    let recorder = RepeatingRecorder()
    let (state, condition) = (Tensor([1] as [Float]), Tensor([5] as [Float]))
    let graph = try EvaluationGraph(recorder, inputs: [state, condition])
    for _ in 0..<3 { _ = try graph([state, condition], work) }
    #expect(try values(graph([Tensor([2] as [Float]), condition], work)) == [9, 5])
    #expect(try values(graph([state, Tensor([7] as [Float])], work)) == [9, 7], "back to what the state was before")
  }

  @Test func otherShapesAreRefused() throws {
    let graph = try EvaluationGraph(RepeatingRecorder(), inputs: [Tensor([1, 2] as [Float])])
    for inputs in [[], [Tensor([1] as [Float])], [Tensor([1, 2] as [Double])], [Tensor([1, 2] as [Float]), Tensor([1] as [Float])]] {
      #expect(throws: TensorError.self) { try graph(inputs) { $0 } }
    }
    #expect(try values(graph([Tensor([3, 4] as [Float])]) { $0 }) == [3, 4])
  }

  @Test func aRecordingThatFailsFailsForGood() throws {
    let graph = try EvaluationGraph(RepeatingRecorder(), inputs: [Tensor([1] as [Float])])
    var calls = 0
    let fragile: EvaluationGraph.Work = { inputs in
      calls += 1
      if calls == 3 { throw TensorError("the third is too much") }
      return inputs
    }
    for _ in 0..<2 { _ = try graph([Tensor([1] as [Float])], fragile) }
    for _ in 0..<2 {
      let error = #expect(throws: TensorError.self) { try graph([Tensor([1] as [Float])], fragile) }
      #expect("\(try #require(error))".contains("too much"))
    }
    #expect(calls == 3)
  }

  @Test("work that touches main memory is found before it is recorded")
  func hostWork() throws {
    let input = Tensor.zeros([2], device: .meta)
    func failure(_ work: @escaping EvaluationGraph.Work) throws -> String? {
      let graph = try EvaluationGraph(RepeatingRecorder(.meta), inputs: [input])
      for _ in 0..<2 { _ = try graph([input], work) }
      do { _ = try graph([input], work) } catch { return "\(error)" }
      return nil
    }
    #expect(try failure { [$0[0] * 2 + $0[0]] } == nil)
    let copied = try #require(try failure { [$0[0] + Tensor([1, 2] as [Float]).to(.meta)] })
    #expect(copied.contains("main memory") && copied.contains("aten::_to_copy") && copied.contains("aten::empty"))
    // A scalar on the processor goes into a kernel as a number, which a recording would keep.
    #expect(try failure { [$0[0] + Tensor(scalar: Float(1))] } != nil)
  }

  @Test func theWatchNamesOperators() throws {
    let here = Tensor([1, 2] as [Float])
    let (sum, operators) = try HostWatch.operators { try withTensorErrors { here + here } }
    #expect(try values([sum]) == [2, 4] && operators == ["aten::add"])
    #expect(HostWatch.operators { Tensor.zeros([2], device: .meta) * 2 }.operators.isEmpty)
    #expect(HostWatch.operators { Tensor.cat([here, here]) }.operators == ["aten::cat"])
    // Where all is in main memory: what comes from elsewhere than the origins.
    let other = Tensor([3, 4] as [Float])
    func strangers(_ work: () -> Tensor) -> [String] { HostWatch.operators(origins: [here], in: work).operators }
    #expect(strangers { (here * 2 + here).reshape([1, 2]) } == [])
    #expect(strangers { here + other } == ["aten::add"] && strangers { Tensor.cat([here * 2, other]) } == ["aten::cat"])
    #expect(strangers { here + Tensor.zeros([2]) } == ["aten::zeros", "aten::add"])
    #expect(strangers { here + Tensor.zeros([2], device: .cpu) } == [])
    #expect(strangers { Tensor([1] as [Float]) }.contains("a tensor's memory"))
    struct Stop: Error {}
    #expect(throws: Stop.self) { try HostWatch.operators { throw Stop() } }
    // Nothing of it is left for the next.
    #expect(HostWatch.operators {}.operators.isEmpty)
  }

  @Test func withoutAGPUTheReasonIsGiven() throws {
    let error = #expect(throws: TensorError.self) { try EvaluationGraph(device: .cpu, inputs: []) }
    #expect("\(try #require(error))".contains("cpu"))
    guard Machine.cudaDeviceCount() == 0 else { return }
    let missing = #expect(throws: TensorError.self) { try EvaluationGraph(device: .cuda(0), inputs: []) }
    let text = "\(try #require(missing))"
    #expect(text.contains("libtorch_cuda.so") || text.contains("GPU"), "\(text)")
  }
}
