internal import QuickstepNN
internal import QuickstepTensor

/// Names and shapes of a source, without its values: for outlines of models, where unpacking or adding LoRAs would be work for nothing.
struct OutlineTensors: TensorSource {
  let base: any TensorSource

  var names: [String] { base.names }
  var metadata: [String: String] { base.metadata }
  var origin: String { base.origin }
  func info(_ name: String) -> TensorInfo? { base.info(name) }

  func tensor(_ name: String) throws -> Tensor {
    guard let info = base.info(name) else { return try base.tensor(name) }
    return try withTensorErrors { Tensor.empty(info.shape, dtype: info.dtype, device: .meta) }
  }
}
