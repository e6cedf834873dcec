public import NibbleQuantization

extension Scheme {
  /// Schemes that may hold the same values, the likeliest first: as few bits as now before more, groups as they are before
  /// others, scales as they are before other formats.
  public var relatives: [Scheme] {
    var all = [self]
    for element in elements {
      for granularity in granularities {
        for scale in scales {
          for offset in offsets(element, scale) {
            var scheme = Scheme(
              element: element, granularity: granularity, scale: scale, offset: offset)
            scheme.hasColumnOrder = hasColumnOrder && scheme.canHaveColumnOrder
            if scheme.hasColumnOrder == hasColumnOrder, !all.contains(scheme) { all.append(scheme) }
          }
        }
      }
    }
    return all
  }

  /// Both kinds of integers, of as many bits and of more.
  private var elements: [ElementFormat] {
    switch element {
    case .int(let bits):
      (bits...max(bits, 8)).flatMap { [ElementFormat.int(bits: $0), .uint(bits: $0)] }
    case .uint(let bits):
      (bits...max(bits, 8)).flatMap { [ElementFormat.uint(bits: $0), .int(bits: $0)] }
    case .codebook, .learned: [element]
    }
  }

  /// The same groups, parts of them, and whole rows.
  private var granularities: [Granularity] {
    let lengths = [256, 128, 64, 32, 16]
    switch granularity {
    case .tensor, .column: return [granularity]
    case .row: return [.row] + lengths.map { .group($0) }
    case .group(let length):
      let parts = lengths.filter { $0 < length && length % $0 == 0 }
      return [granularity] + parts.map { .group($0) } + [.row]
    case .block(_, let sub):
      return [.group(sub)] + lengths.filter { $0 < sub && sub % $0 == 0 }.map { .group($0) }
    }
  }

  private var scales: [ScaleFormat] {
    let plain: [ScaleFormat] = [.float16, .bfloat16, .float32]
    return plain.contains(scale)
      ? [scale] + plain.filter { $0 != scale } : [.float32, .float16, .bfloat16]
  }

  private func offsets(_ element: ElementFormat, _ scale: ScaleFormat) -> [Offset] {
    guard case .uint(let bits) = element else { return [.none] }
    if case .minimum = offset { return [.minimum(scale), .zeroPoint(bits: bits)] }
    return [.zeroPoint(bits: bits), .minimum(scale)]
  }
}
