extension Tensor {
  public static func + (left: Tensor, right: Tensor) -> Tensor { left.adding(right) }
  public static func + (left: Tensor, right: Double) -> Tensor { left.adding(Scalar(right)) }
  public static func + (left: Double, right: Tensor) -> Tensor { right.adding(Scalar(left)) }
  public static func - (left: Tensor, right: Tensor) -> Tensor { left.subtracting(right) }
  public static func - (left: Tensor, right: Double) -> Tensor { left.subtracting(Scalar(right)) }
  public static func - (left: Double, right: Tensor) -> Tensor { right.subtracted(Scalar(left)) }
  public static func * (left: Tensor, right: Tensor) -> Tensor { left.multiplied(right) }
  public static func * (left: Tensor, right: Double) -> Tensor { left.multiplied(Scalar(right)) }
  public static func * (left: Double, right: Tensor) -> Tensor { right.multiplied(Scalar(left)) }
  public static func / (left: Tensor, right: Tensor) -> Tensor { left.divided(right) }
  public static func / (left: Tensor, right: Double) -> Tensor { left.divided(Scalar(right)) }
  public static prefix func - (value: Tensor) -> Tensor { value.negated() }
  public static func += (left: inout Tensor, right: Tensor) { left = left.adding(right) }
  public static func *= (left: inout Tensor, right: Double) { left = left.multiplied(Scalar(right)) }
}
