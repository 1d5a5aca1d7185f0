/// Carries two requests out in turns to their ends. The first is two evaluations ahead, so that the two are never at the same one.
/// - Parameters: each makes one evaluation, and says whether there was one.
func interleave(_ first: () throws -> Bool, _ second: () throws -> Bool) rethrows {
  for _ in 0..<2 { _ = try first() }
  var goesOn = true
  while goesOn {
    let (one, other) = (try first(), try second())
    goesOn = one || other
  }
}
