public import NibbleCheckpoints
public import NibbleModels
public import NibbleTensors

/// A profile beside what the machine gives at most.
public struct ProfileReport: Sendable {
  /// One kind of operation.
  public struct Line: Sendable, Equatable {
    /// The kind in words.
    public let title: String
    /// The type of the weights, for products.
    public let weights: String?
    public let seconds: Double
    /// The part of the whole time.
    public let share: Double
    /// Operations.
    public let count: Int
    /// Billions of products a second; nil where the kind has none.
    public let gigaproductsPerSecond: Double?
    /// Gigabytes a second, each byte counted once; nil where the kind moves none.
    public let gigabytesPerSecond: Double?
    /// The part of ``MachineRoofs/productsPerSecond`` that was reached.
    public let productShare: Double?
    /// The part of ``MachineRoofs/bytesPerSecond`` that was reached; above 1 where caches hold what is read.
    public let byteShare: Double?
  }

  /// What the profiled passes did: "prompt", "generation".
  public let title: String
  /// Tokens of the passes.
  public let tokenCount: Int
  public let totalSeconds: Double
  /// One line a kind, then what has none.
  public let lines: [Line]

  public init(
    _ title: String, _ profile: OperationProfile, tokenCount: Int, roofs: MachineRoofs
  ) {
    self.title = title
    self.tokenCount = tokenCount
    totalSeconds = profile.totalSeconds
    let total = max(profile.totalSeconds, 1e-12)
    var lines: [Line] = []
    for kind in profile.kinds {
      guard let cost = profile.costs[kind] else { continue }
      let seconds = max(cost.seconds, 1e-12)
      let products = cost.products > 0 ? cost.products / seconds : nil
      let bytes = cost.bytes > 0 ? cost.bytes / seconds : nil
      lines.append(
        Line(
          title: kind.title, weights: kind.weights, seconds: cost.seconds,
          share: cost.seconds / total, count: cost.count,
          gigaproductsPerSecond: products.map { $0 / 1e9 },
          gigabytesPerSecond: bytes.map { $0 / 1e9 },
          productShare: products.map { $0 / roofs.productsPerSecond },
          byteShare: bytes.map { $0 / roofs.bytesPerSecond }))
    }
    let other = max(0, profile.otherSeconds)
    lines.append(
      Line(
        title: "other", weights: nil, seconds: other, share: other / total, count: 0,
        gigaproductsPerSecond: nil, gigabytesPerSecond: nil, productShare: nil, byteShare: nil))
    self.lines = lines
  }

  /// `{"tokens", "seconds", "operations": [{"kind", "weights", "seconds", "share", "count", "gmac_per_second", ...}]}`;
  /// rates that a kind does not have are left out.
  public var json: JSONValue {
    let operations = lines.map { line in
      var object = JSONObject([
        "kind": .string(line.title), "seconds": .number(line.seconds),
        "share": .number(line.share), "count": .integer(Int64(line.count)),
      ])
      object["weights"] = line.weights.map { .string($0) }
      object["gmac_per_second"] = line.gigaproductsPerSecond.map { .number($0) }
      object["gb_per_second"] = line.gigabytesPerSecond.map { .number($0) }
      object["compute_roof_share"] = line.productShare.map { .number($0) }
      object["memory_roof_share"] = line.byteShare.map { .number($0) }
      return JSONValue.object(object)
    }
    return [
      "tokens": .integer(Int64(tokenCount)), "seconds": .number(totalSeconds),
      "operations": .array(operations),
    ]
  }
}
