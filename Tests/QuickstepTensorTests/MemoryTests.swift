import QuickstepTensor
import QuickstepTesting
import Synchronization
import Testing

/// Borrowed memory, layouts, and shapes no machine can hold.
@Suite struct MemoryTests {
  private final class Count: Sendable {
    let value = Atomic(0)
    func rise() { value.add(1, ordering: .relaxed) }
    var current: Int { value.load(ordering: .relaxed) }
  }

  @Test func borrowedMemoryIsNotCopied() throws {
    let owner = Owned(bytes(of: [1, 2, 3] as [Float]))
    let tensor = try Tensor(borrowing: owner.pointer, shape: [3], dtype: .float32, owner: owner)
    owner.pointer.storeBytes(of: 7, as: Float.self)
    #expect(try tensor.scalars(Float.self) == [7, 2, 3])
  }

  @Test func ownerLivesAsLongAsAnyViewAndIsReleasedOnce() throws {
    let released = Count()
    weak var watched: Owned?
    var view: Tensor?
    do {
      let owner = Owned(bytes(of: [1, 2, 3, 4] as [Float])) { released.rise() }
      watched = owner
      var tensor: Tensor? = try Tensor(borrowing: owner.pointer, shape: [2, 2], dtype: .float32, owner: owner)
      view = tensor?.transposed.select(0, index: 1)
      tensor = nil
    }
    #expect(watched != nil)
    #expect(released.current == 0)
    #expect(try view?.scalars(Float.self) == [2, 4])
    view = nil
    #expect(watched == nil)
    #expect(released.current == 1)
  }

  @Test("an owner is released once when the shape is refused", arguments: [[-1, 2], [1 << 40, 1 << 40], [1 << 62, 4]])
  func refusedShapes(_ shape: [Int]) throws {
    let released = Count()
    do {
      let owner = Owned([0]) { released.rise() }
      #expect(throws: TensorError.self) { try Tensor(borrowing: owner.pointer, shape: shape, dtype: .float32, owner: owner) }
      #expect(released.current == 0)
    }
    #expect(released.current == 1)
  }

  @Test("a shape that overflows is an error", arguments: [[1 << 40, 1 << 20], [1 << 62, 1 << 62], [.max], [1 << 46], [-3], [4, -1]])
  func impossibleShapes(_ shape: [Int]) throws {
    let makers: [(String, ([Int]) -> Tensor)] = [
      ("zeros", { .zeros($0) }), ("ones", { .ones($0) }), ("empty", { .empty($0, dtype: .float64) }),
      ("full", { .full($0, fillValue: 1.5) }), ("randn", { .randn($0, generator: nil) }),
    ]
    for (name, make) in makers {
      #expect(throws: TensorError.self, "\(name)") { try withTensorErrors { make(shape) } }
    }
    #expect(throws: TensorError.self) { try withTensorErrors { Tensor([1, 2] as [Float], shape: shape) } }
  }

  @Test func valuesMustFillTheShape() throws {
    let error = #expect(throws: TensorError.self) { try withTensorErrors { Tensor([1, 2, 3] as [Float], shape: [2, 2]) } }
    #expect(try #require(error).description.contains("3 values do not fill the shape [2, 2]"))
    // A product that wraps around to the number of values must not pass.
    #expect(throws: TensorError.self) { try withTensorErrors { Tensor([] as [Float], shape: [1 << 62, 4]) } }
  }

  @Test func layoutsAreReadInRowMajorOrder() throws {
    let tensor = Tensor((0..<24).map { Float($0) }, shape: [1, 2, 3, 4])
    let last = tensor.contiguous(memoryFormat: .channelsLast)
    #expect(last.isContiguous(.channelsLast) && !last.isContiguous)
    #expect(last.strides == [24, 1, 8, 2])
    #expect(try last.scalars(Float.self) == tensor.scalars(Float.self))
  }

  @Test func emptyTensorsCanBeRead() throws {
    let empty = Tensor.zeros([0, 3])
    #expect(empty.isDefined && empty.count == 0 && empty.shape == [0, 3])
    #expect(try empty.scalars(Float.self) == [])
    #expect(try withTensorErrors { empty.sum() }.item() == 0)
  }

  @Test func metaTensorsHaveAShapeButNoValues() throws {
    let meta = Tensor.zeros([1 << 20, 1 << 15], device: .meta)
    #expect(meta.shape == [1 << 20, 1 << 15])
    #expect(try withTensorErrors { meta.transposed.matmul(meta) }.shape == [1 << 15, 1 << 15])
    #expect(throws: TensorError.self) { try Tensor.zeros([2], device: .meta).scalars(Float.self) }
  }

  @Test func sizeOutOfRangeIsAnError() throws {
    let tensor = Tensor.zeros([2, 3])
    #expect(tensor.size(-1) == 3 && tensor.size(1) == 3)
    for dimension in [2, -3, .max, .min] {
      #expect(throws: TensorError.self) { try withTensorErrors { tensor.size(dimension) } }
    }
  }

  @Test func partsThatDoNotExistAreUndefined() throws {
    let tensor = Tensor.zeros([4])
    #expect(tensor.chunk(2).map(\.shape) == [[2], [2]])
    #expect(tensor.chunk(3).map(\.isDefined) == [false, false, false])
    #expect(tensor.chunk(0).isEmpty && tensor.chunk(-1).isEmpty)
    #expect(tensor.split(sizes: [1, 3]).map(\.shape) == [[1], [3]])
    #expect(tensor.split(sizes: [1, 1]).allSatisfy { !$0.isDefined })
  }
}
