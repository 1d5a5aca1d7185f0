import QuickstepTensor
import QuickstepTesting
import Testing

/// Element types: sizes, names, conversions and bit patterns.
@Suite struct DTypeTests {
  @Test("the size of an element is libtorch's", arguments: DType.allCases)
  func sizes(_ dtype: DType) throws {
    // Elements of a strided tensor are `byteCount` apart; raw bytes of an even number of elements show it.
    let bytes = [UInt8](repeating: 0, count: 6 * dtype.byteCount)
    let owner = Owned(bytes)
    let tensor = try Tensor(borrowing: owner.pointer, shape: [2, 3], dtype: dtype, owner: owner)
    #expect(tensor.dtype == dtype)
    #expect(tensor.byteCount == bytes.count)
    #expect(try tensor.elementBytes() == bytes)
    #expect(DType(name: "\(dtype)") == dtype)
  }

  @Test("a copy of raw elements keeps their bits", arguments: DType.allCases)
  func rawBits(_ dtype: DType) throws {
    let bytes = (0..<4 * dtype.byteCount).map { UInt8(truncatingIfNeeded: dtype == .bool ? $0 % 2 : $0 * 37 + 11) }
    let owner = Owned(bytes)
    let copy = try Tensor(borrowing: owner.pointer, shape: [4], dtype: dtype, owner: owner).clone()
    #expect(try copy.elementBytes() == bytes)
  }

  @Test(
    "known bit patterns",
    arguments: [
      (DType.float16, [0x00, 0x3C, 0x00, 0xC1, 0x00, 0x38]), (.bfloat16, [0x80, 0x3F, 0x20, 0xC0, 0x00, 0x3F]),
      (.float8e4m3fn, [0x38, 0xC2, 0x30]), (.float8e5m2, [0x3C, 0xC1, 0x38]), (.int8, [1, 0xFE, 0]), (.int16, [1, 0, 0xFE, 0xFF, 0, 0]),
      (.bool, [1, 1, 1]),
    ])
  func patterns(_ dtype: DType, _ bytes: [UInt8]) throws {
    let values = Tensor([1, -2.5, 0.5] as [Float])
    #expect(try values.to(dtype).elementBytes() == bytes)
  }

  @Test(
    "values that a type can hold survive the way there and back",
    arguments: [
      DType.float16, .bfloat16, .float8e5m2, .float8e4m3fn, .float32, .float64, .int8, .int16, .int32, .int64, .complex64, .complex128,
    ])
  func roundTrip(_ dtype: DType) throws {
    let values: [Float] = [0, 1, -1, 2, -4, 16, -28]
    #expect(try Tensor(values).to(dtype).to(.float32).scalars(Float.self) == values)
  }

  @Test(arguments: [DType.uint8, .uint16, .uint32, .uint64])
  func unsignedRoundTrip(_ dtype: DType) throws {
    let values: [Int] = [0, 1, 127, 128, 255]
    #expect(try Tensor(values).to(dtype).to(.int64).scalars(Int.self) == values)
  }

  @Test func everyScalarTypeRoundTrips() throws {
    #expect(try Tensor([1.5, -.infinity] as [Float]).scalars(Float.self) == [1.5, -.infinity])
    #expect(try Tensor([1e300, -0.0]).scalars(Double.self) == [1e300, -0.0])
    #expect(try Tensor([Int.max, .min]).scalars(Int.self) == [.max, .min])
    #expect(try Tensor([Int64.max]).scalars(Int.self) == [.max])
    #expect(try Tensor([Int32.max, .min]).scalars(Int32.self) == [.max, .min])
    #expect(try Tensor([Int16.max, .min]).scalars(Int16.self) == [.max, .min])
    #expect(try Tensor([Int8.max, .min]).scalars(Int8.self) == [.max, .min])
    #expect(try Tensor([0, 255] as [UInt8]).scalars(UInt8.self) == [0, 255])
    #expect(try Tensor([true, false, true]).scalars(Bool.self) == [true, false, true])
    #expect(try Tensor([] as [Float]).scalars(Float.self) == [])
    #expect(try Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2]).transposed.scalars(Int.self) == [1, 3, 5, 2, 4, 6])
  }

  @Test func complexNumbersMultiply() throws {
    // (1 + 2i)(3 + 4i) = −5 + 10i; (0 + i)² = −1.
    let left = Owned(bytes(of: [1, 2, 0, 1] as [Float]))
    let right = Owned(bytes(of: [3, 4, 0, 1] as [Float]))
    let product =
      try Tensor(borrowing: left.pointer, shape: [2], dtype: .complex64, owner: left)
      * Tensor(borrowing: right.pointer, shape: [2], dtype: .complex64, owner: right)
    #expect(try product.elementBytes() == bytes(of: [-5, 10, -1, 0] as [Float]))
    #expect(product.dtype.isComplex && !product.dtype.isFloatingPoint)
  }

  @Test func roundingToBfloat16IsToNearestEven() throws {
    // 1 + 2⁻⁸ lies in the middle of 1 and 1 + 2⁻⁷; 1 + 3·2⁻⁸ in the middle of 1 + 2⁻⁷ and 1 + 2⁻⁶.
    let values = Tensor([1.00390625, 1.01171875] as [Float]).to(.bfloat16).to(.float32)
    #expect(try values.scalars(Float.self) == [1, 1.015625])
  }

  @Test func wrongTypeInScalarsIsAnErrorThatNamesBoth() throws {
    let error = #expect(throws: TensorError.self) { try Tensor([1, 2] as [Float]).scalars(Int.self) }
    let message = try #require(error).description
    #expect(message.contains("float32") && message.contains("int64"))
    // Types of one size as well: bits must not be read as something else.
    #expect(throws: TensorError.self) { try Tensor([1, 2] as [Float]).scalars(Int32.self) }
    #expect(throws: TensorError.self) { try Tensor([1.0]).scalars(Int.self) }
    #expect(throws: TensorError.self) { try Tensor([1] as [UInt8]).scalars(Bool.self) }
  }

  @Test func itemNeedsExactlyOneElement() throws {
    #expect(try Tensor([[3]].flatMap { $0 }, shape: [1, 1]).item() == 3)
    #expect(try Tensor([true]).item() == 1)
    let error = #expect(throws: TensorError.self) { try Tensor([1, 2]).item() }
    #expect(try #require(error).description.contains("[2]"))
  }

  @Test func namesAsUsersWriteThem() {
    #expect(DType(name: "fp16") == .float16)
    #expect(DType(name: "BF16") == .bfloat16)
    #expect(DType(name: "Float32") == .float32)
    #expect(DType(name: "float8_e4m3fn") == .float8e4m3fn)
    #expect(DType(name: "float33") == nil)
  }
}

/// Memory that a test lends to tensors.
final class Owned: Sendable {
  nonisolated(unsafe) let pointer: UnsafeMutableRawPointer
  private let onRelease: @Sendable () -> Void

  init(_ bytes: [UInt8], onRelease: @escaping @Sendable () -> Void = {}) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 64)
    bytes.withUnsafeBytes { source in if let base = source.baseAddress { memory.copyMemory(from: base, byteCount: source.count) } }
    pointer = memory
    self.onRelease = onRelease
  }

  deinit {
    pointer.deallocate()
    onRelease()
  }
}

func bytes<Element>(of values: [Element]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }
