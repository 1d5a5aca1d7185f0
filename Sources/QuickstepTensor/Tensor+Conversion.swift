extension Tensor {
  /// This tensor with another element type; itself when it already has it.
  public func to(_ dtype: DType) -> Tensor { self.dtype == dtype || !isDefined ? self : toCopy(dtype: dtype) }

  /// This tensor on another device; itself when it is there already.
  public func to(_ device: Device) -> Tensor { self.device.matches(device) || !isDefined ? self : toCopy(device: device) }

  /// This tensor with another element type and on another device.
  public func to(_ dtype: DType, _ device: Device) -> Tensor {
    let sameType = self.dtype == dtype
    let sameDevice = self.device.matches(device)
    if (sameType && sameDevice) || !isDefined { return self }
    return toCopy(dtype: sameType ? nil : dtype, device: sameDevice ? nil : device)
  }

  /// Exactly `count` parts along `dim`; parts beyond the tensor's size (a failure) are undefined.
  public func chunk(_ count: Int, dim: Int = 0) -> [Tensor] {
    let parts = chunkList(count, dim: dim)
    return parts.count == count ? parts : Array(repeating: .undefined, count: Swift.max(0, count))
  }

  /// Parts of the given sizes along `dim`; all undefined when the sizes do not add up.
  public func split(sizes: [Int], dim: Int = 0) -> [Tensor] {
    let parts = splitList(sizes, dim: dim)
    return parts.count == sizes.count ? parts : Array(repeating: .undefined, count: sizes.count)
  }

  /// Transposed last two dimensions.
  public var transposed: Tensor { transpose(-2, dim1: -1) }
}

extension Device {
  /// Whether a tensor here is on `other`; `cuda` without an index means any.
  func matches(_ other: Device) -> Bool { type == other.type && (index == other.index || index < 0 || other.index < 0) }
}
