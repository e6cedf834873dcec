internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

/// As what scheme a quantized tensor is stored in another format, and what that costs.
struct Repacking: Sendable {
  var scheme: Scheme
  /// How far values are from what they were; nil when they are the same.
  var loss: ConversionLoss?

  /// More than this, relative to a row's largest value, is no rounding of scales and minima any more.
  private static let largestLoss: Float = 0.005

  /// "exact", or how near.
  var description: String {
    guard let loss else { return "exact" }
    return "near: values differ by at most \(shortText(loss.relative)) of their row's largest"
  }

  /// Finds a scheme that `obstacle` has nothing against and that holds the tensor's values: exactly, else as near as those of
  /// as many bits come.
  ///
  /// - Parameters:
  ///   - task: the tensor.
  ///   - relatives: what to try, `Scheme.relatives` of the source's scheme.
  ///   - obstacle: why the output cannot store a scheme; nil where it can.
  /// - Returns: the scheme and its loss.
  /// - Throws: `CheckpointError` that says why there is none.
  static func find(
    for task: TensorTask, among relatives: [Scheme], obstacle: (Scheme) -> String?
  ) throws(CheckpointError) -> Repacking {
    if let kept = task.keptScheme, kept == relatives.first, obstacle(kept) == nil {
      return Repacking(scheme: kept)
    }
    var reason: String?
    var candidates: [Scheme] = []
    for scheme in relatives {
      if let found = obstacle(scheme) {
        reason = reason ?? found
      } else {
        candidates.append(scheme)
      }
    }
    // More bits are taken only where as many as now do not come near.
    var rest = candidates[...]
    while let first = rest.first {
      let equallyLong = rest.prefix { $0.element.bitCount == first.element.bitCount }
      rest = rest.dropFirst(equallyLong.count)
      for scheme in equallyLong where try isExact(task, scheme) {
        return Repacking(scheme: scheme)
      }
      if let nearest = try nearest(task, equallyLong, &reason) { return nearest }
    }
    let scheme = task.sourceType.scheme.map { "\($0)" } ?? task.sourceType.name
    throw CheckpointError(
      .unsupported,
      "\(scheme) cannot be stored there as it is: \(reason ?? "the format has no such groups")",
      tensor: task.name)
  }

  private static func isExact(
    _ task: TensorTask, _ scheme: Scheme
  ) throws(CheckpointError) -> Bool {
    for rows in task.repackedRows where try !task.sourceTensor(rows).isExactly(as: scheme) {
      return false
    }
    return true
  }

  /// The scheme of the smallest loss, where that is no more than rounding.
  private static func nearest(
    _ task: TensorTask, _ schemes: ArraySlice<Scheme>, _ reason: inout String?
  ) throws(CheckpointError) -> Repacking? {
    var losses = schemes.map { ($0, ConversionLoss(absolute: 0, relative: 0)) }
    for rows in task.repackedRows where !losses.isEmpty {
      let tensor = try task.sourceTensor(rows)
      var left: [(Scheme, ConversionLoss)] = []
      for (scheme, before) in losses {
        switch tensor.converted(to: scheme) {
        case .exact: left.append((scheme, before))
        case .near(_, let loss) where loss.relative > largestLoss:
          reason = "values would differ by \(shortText(loss.relative)) of their row's largest"
        case .near(_, let loss): left.append((scheme, before.union(loss)))
        case .impossible(let found): reason = found
        }
      }
      losses = left
    }
    return losses.min { $0.1.absolute < $1.1.absolute }.map { scheme, loss in
      Repacking(scheme: scheme, loss: loss.absolute > 0 ? loss : nil)
    }
  }

  /// The scheme of the fewest bits, no fewer than now, for a tensor that is quantized again.
  ///
  /// - Returns: nil when the format has none.
  static func substitute(for task: TensorTask, obstacle: (Scheme) -> String?) -> Scheme? {
    guard let source = task.sourceType.scheme else { return nil }
    let lengths = [32, 64, 128].map { Granularity.group($0) } + [.row]
    for bits in source.element.bitCount...8 {
      let elements: [(ElementFormat, [Offset])] = [
        (.uint(bits: bits), [.zeroPoint(bits: bits), .minimum(.float16)]),
        (.int(bits: bits), [.none]), (.codebook(.nf4), [.none]),
      ]
      for (element, offsets) in elements where element.bitCount == bits {
        for granularity in lengths {
          for offset in offsets {
            for scale in [ScaleFormat.float16, .float32] {
              let scheme = Scheme(
                element: element, granularity: granularity, scale: scale, offset: offset)
              if obstacle(scheme) == nil { return scheme }
            }
          }
        }
      }
    }
    return nil
  }

}

/// A magnitude with two digits: "3.1e-4".
func shortText(_ value: Float) -> String {
  guard value > 0, value.isFinite else { return "\(value)" }
  var exponent = 0
  var mantissa = Double(value)
  while mantissa < 1 {
    mantissa *= 10
    exponent -= 1
  }
  return "\((mantissa * 10).rounded() / 10)e\(exponent)"
}
