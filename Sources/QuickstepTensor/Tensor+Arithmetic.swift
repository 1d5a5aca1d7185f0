extension Tensor {
  /// Element by element, with broadcasting: sizes of 1 are stretched, shapes are aligned at the last dimension.
  public static func + (left: Tensor, right: Tensor) -> Tensor { left.adding(right) }
  /// Adds the number to every element.
  public static func + (left: Tensor, right: Double) -> Tensor { left.adding(Scalar(right)) }
  /// Adds the number to every element.
  public static func + (left: Double, right: Tensor) -> Tensor { right.adding(Scalar(left)) }
  /// Element by element, with broadcasting.
  public static func - (left: Tensor, right: Tensor) -> Tensor { left.subtracting(right) }
  /// Takes the number from every element.
  public static func - (left: Tensor, right: Double) -> Tensor { left.subtracting(Scalar(right)) }
  /// The number minus every element.
  public static func - (left: Double, right: Tensor) -> Tensor { right.subtracted(Scalar(left)) }
  /// Element by element, with broadcasting; no matrix product.
  public static func * (left: Tensor, right: Tensor) -> Tensor { left.multiplied(right) }
  /// Multiplies every element by the number.
  public static func * (left: Tensor, right: Double) -> Tensor { left.multiplied(Scalar(right)) }
  /// Multiplies every element by the number.
  public static func * (left: Double, right: Tensor) -> Tensor { right.multiplied(Scalar(left)) }
  /// Element by element, with broadcasting; whole numbers give floating-point quotients.
  public static func / (left: Tensor, right: Tensor) -> Tensor { left.divided(right) }
  /// Divides every element by the number; whole numbers give floating-point quotients.
  public static func / (left: Tensor, right: Double) -> Tensor { left.divided(Scalar(right)) }
  /// Every element with the other sign.
  public static prefix func - (value: Tensor) -> Tensor { value.negated() }
  /// Refers `left` to the sum, a new tensor: others that refer to the old one do not change.
  public static func += (left: inout Tensor, right: Tensor) { left = left.adding(right) }
  /// Refers `left` to the product, a new tensor: others that refer to the old one do not change.
  public static func *= (left: inout Tensor, right: Double) { left = left.multiplied(Scalar(right)) }
}
