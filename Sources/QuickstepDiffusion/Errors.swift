/// A noise schedule was described with impossible numbers or asked for a level it does not have.
public struct ScheduleError: Error, CustomStringConvertible {
  /// What was wrong, with the offending value and what is allowed.
  public let description: String
  /// Creates the error from its message.
  public init(_ description: String) { self.description = description }
}

/// A grid of noise levels is not usable, or a spacing cannot be built on the given schedule.
public struct GridError: Error, CustomStringConvertible {
  /// What was wrong, with the offending value and what is allowed.
  public let description: String
  /// Creates the error from its message.
  public init(_ description: String) { self.description = description }
}

/// A tableau breaks one of its rules; the message names the row.
public struct TableauError: Error, CustomStringConvertible {
  /// What was wrong, with the offending value and what is allowed.
  public let description: String
  /// Creates the error from its message.
  public init(_ description: String) { self.description = description }
}

/// A model output cannot be converted at the given noise level.
public struct ParametrisationError: Error, CustomStringConvertible {
  /// What was wrong, with the offending value and what is allowed.
  public let description: String
  /// Creates the error from its message.
  public init(_ description: String) { self.description = description }
}

/// A run could not go on: wrong shapes, calls in the wrong order, values that are not finite.
public struct SamplingError: Error, CustomStringConvertible {
  /// What was wrong, with the offending value and what is allowed.
  public let description: String
  /// Creates the error from its message.
  public init(_ description: String) { self.description = description }
}
