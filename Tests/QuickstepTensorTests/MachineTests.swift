import Foundation
import QuickstepTensor
import QuickstepTesting
import Testing

/// Devices, threads, and operators called from many tasks.
@Suite struct MachineTests {
  @Test(
    "names of devices that do not exist",
    arguments: ["gpu", "", "cuda:", "cuda:-1", "cuda:x", "CPU", "cuda:99", "cuda:9999999999999999999"])
  func unknownDevices(_ name: String) throws {
    let error = #expect(throws: TensorError.self) { try Device(named: name) }
    #expect(!(try #require(error).description.isEmpty))
  }

  @Test func namesOfDevices() throws {
    #expect(try Device(named: "cpu") == .cpu)
    #expect(["cpu", "cuda:0"].contains(try Device(named: "auto").description))
    #expect("\(Device.cuda(2))" == "cuda:2" && "\(Device.meta)" == "meta" && "\(Device.cpu)" == "cpu")
    let error = #expect(throws: TensorError.self) { try Device(named: "tpu") }
    #expect(try #require(error).description.contains("'tpu'"))
  }

  @Test func aMissingGPUIsExplained() throws {
    guard Machine.cudaDeviceCount() == 0 else { return #expect(Machine.cudaUnavailableReason() == nil) }
    #expect(!(try #require(Machine.cudaUnavailableReason())).isEmpty)
    let error = #expect(throws: TensorError.self) { try Device(named: "cuda") }
    #expect(try #require(error).description.contains("no GPU can be used"))
    #expect(throws: TensorError.self) { try withTensorErrors { Tensor.zeros([2], device: .cuda(0)) } }
    #expect(throws: TensorError.self) { try Generator(seed: 0, device: .cuda(0)) }
  }

  @Test func theLibraryIsTheOneThisWasBuiltFor() {
    #expect(Machine.libtorchVersion.hasPrefix("2.11.0"))
    #expect(Machine.configuration.contains("ATen"))
  }

  // In a process of its own: the number of threads is the process's, and other tests compare bits.
  @Test func threadsCanBeSet() async throws {
    await #expect(processExitsWith: .success) {
      Machine.threads = 2
      #expect(Machine.threads == 2)
      Machine.threads = 1
      #expect(Machine.threads == 1)
      Machine.threads = 0
      #expect(Machine.threads == 1)
      Machine.threads = -5
      #expect(Machine.threads == 1)
      // As many as nobody has: kept in bounds, so that starting them does not end the process.
      Machine.threads = .max
      #expect(Machine.threads <= 8 * ProcessInfo.processInfo.processorCount)
      let sum = try withTensorErrors { Tensor.ones([512, 512]).sum() }.item()
      #expect(sum == 512 * 512)
      Machine.threads = 2
      let found = ResultBox(count: 1)
      let done = DispatchSemaphore(value: 0)
      Thread.detachNewThread {
        found.set(0, Double(Machine.threads))
        done.signal()
      }
      done.wait()
      #expect(found.values == [2], "the setting holds on a thread made later")
    }
  }

  @Test func concurrentTasksGetTheBitsOfSerialWork() async throws {
    @Sendable func work(_ seed: UInt64) throws -> [UInt8] {
      try withTensorErrors {
        let generator = try Generator(seed: seed)
        var x = Tensor.randn([16, 32], generator: generator)
        let weight = Tensor.randn([32, 32], generator: generator) * 0.2
        let kernel = Tensor.randn([4, 1, 3, 3], generator: generator)
        for _ in 0..<20 {
          x = x.linear(weight).layerNorm([32]).gelu()
          x =
            x
            + x.reshape([1, 16, 1, 32]).permute([1, 0, 2, 3]).conv2d(kernel.narrow(0, start: 0, length: 1), padding: [1, 1]).reshape([
              16, 32,
            ])
        }
        return x
      }.elementBytes()
    }
    let serial = try (0..<8).map { try work(UInt64($0)) }
    let concurrent = try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
      for index in 0..<8 { group.addTask { (index, try work(UInt64(index))) } }
      return try await group.reduce(into: [Int: [UInt8]]()) { $0[$1.0] = $1.1 }
    }
    for index in 0..<8 { #expect(concurrent[index] == serial[index], "task \(index)") }
    #expect(Set(serial).count == 8)
  }

  @Test func tensorsMayBeSharedBetweenTasks() async throws {
    let shared = Tensor.randn([64], generator: try Generator(seed: 3))
    let expected = try withTensorErrors { (shared * 3).sum() }.item()
    let sums = try await withThrowingTaskGroup(of: Double.self) { group in
      for _ in 0..<8 { group.addTask { try withTensorErrors { (shared * 3).sum() }.item() } }
      return try await group.reduce(into: [Double]()) { $0.append($1) }
    }
    #expect(sums == Array(repeating: expected, count: 8))
  }

  @Test func generatorsStartOverAndRefuseForeignStates() throws {
    let generator = try Generator(seed: 11)
    let first = try Tensor.randn([5], generator: generator).scalars(Float.self)
    generator.reseed(11)
    #expect(try Tensor.randn([5], generator: generator).scalars(Float.self) == first)
    #expect(throws: TensorError.self) { try generator.restore(.undefined) }
    #expect(throws: TensorError.self) { try generator.restore(Tensor([1.0, 2.0])) }
  }
}
