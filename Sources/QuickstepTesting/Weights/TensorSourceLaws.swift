public import QuickstepNN
import QuickstepTensor

/// Laws that every source of named tensors obeys: a file, a sharded checkpoint, a dictionary. Throws ``LawViolation``.
public enum TensorSourceLaws {
  /// Names are sorted and different; what `info` says is what `tensor` gives, the same bits each time; an unknown name is an error that
  /// names the tensor and the source.
  public static func check(_ source: any TensorSource) throws {
    let origin = source.origin
    guard !origin.isEmpty else { throw LawViolation("a tensor source does not say where it comes from") }
    let names = source.names
    guard names == names.sorted(), Set(names).count == names.count else {
      throw LawViolation("\(origin): names are not sorted, or repeat: \(names)")
    }
    for name in names {
      guard let info = source.info(name) else { throw LawViolation("\(origin): '\(name)' is listed but has no info") }
      guard info.name == name else { throw LawViolation("\(origin): the info of '\(name)' names '\(info.name)'") }
      let tensor = try source.tensor(name)
      guard tensor.isDefined, tensor.dtype == info.dtype, tensor.shape == info.shape else {
        throw LawViolation("\(origin): '\(name)' is announced as \(info.dtype) \(info.shape), it is \(tensor.dtype) \(tensor.shape)")
      }
      guard try tensor.hasBits(of: try source.tensor(name)) else { throw LawViolation("\(origin): '\(name)' reads differently each time") }
    }
    try checkUnknown(source, names)
  }

  private static func checkUnknown(_ source: any TensorSource, _ names: [String]) throws {
    var unknown = "no.such.tensor"
    while names.contains(unknown) { unknown += ".either" }
    guard source.info(unknown) == nil else { throw LawViolation("\(source.origin): there is info on '\(unknown)', which it does not list") }
    do {
      _ = try source.tensor(unknown)
    } catch {
      let message = "\(error)"
      guard message.contains(unknown), message.contains(source.origin) else {
        throw LawViolation("\(source.origin): the message on an unknown tensor names neither it nor the source: \(message)")
      }
      return
    }
    throw LawViolation("\(source.origin): '\(unknown)' can be read, though it is not listed")
  }
}
