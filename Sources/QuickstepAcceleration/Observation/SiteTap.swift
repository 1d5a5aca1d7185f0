public import QuickstepNN

/// Hands over what passes at some sites.
public struct SiteTap: RunObserver {
  /// Sites that are looked at.
  public var sites: Set<Site>
  /// Whether the list of blocks as a whole is.
  public var recordsList: Bool
  /// Called at each visit, in order.
  public var take: @Sendable (SiteVisit) throws -> Void

  /// - Parameters:
  ///   - sites: sites that are looked at.
  ///   - recordsList: whether the list of blocks as a whole is.
  ///   - take: called at each visit, in order.
  public init(sites: Set<Site>, recordsList: Bool = false, take: @escaping @Sendable (SiteVisit) throws -> Void) {
    (self.sites, self.recordsList, self.take) = (sites, recordsList, take)
  }

  public func watches(_ site: Site?) -> Bool { site.map(sites.contains) ?? recordsList }
  public func visited(_ visit: SiteVisit) throws { try take(visit) }
}
