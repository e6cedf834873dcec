extension Scheme: CustomStringConvertible {
  /// The name that users write: an integer scheme ("int4-g128-asym", "int8-row-sym", "int8-tensor-asym"), a codebook
  /// ("nf4-g64", "kmeans4-row", "mxfp4"), or a GGUF type with nested scales ("q4_k"); nil for schemes without a name.
  ///
  /// "-min" stores each group's minimum where "-asym" stores a zero point. "-f32" and "-bf16" name the format of scales
  /// and minima where it is not the usual one: f16, and f32 for nf4, fp4 and e4m3. "-act" at the end lets each tensor order its
  /// columns.
  public var name: String? {
    guard hasColumnOrder else { return orderlessName }
    return inNaturalOrder.orderlessName.map { $0 + Self.orderSuffix }
  }

  private static let orderSuffix = "-act"

  private var orderlessName: String? {
    if let special = Self.specialNames.first(where: { $0.scheme == self }) { return special.name }
    if case .block = granularity { return GGMLType(scheme: self).map { "\($0)" } }
    guard let place = granularity.name else { return nil }
    switch element {
    case .int(let bits):
      guard offset == .none, let suffix = scale.suffix(usual: .float16) else { return nil }
      return "int\(bits)-\(place)-sym\(suffix)"
    case .uint(let bits):
      guard let suffix = scale.suffix(usual: .float16) else { return nil }
      if offset == .zeroPoint(bits: bits) { return "int\(bits)-\(place)-asym\(suffix)" }
      return offset == .minimum(scale) ? "int\(bits)-\(place)-min\(suffix)" : nil
    case .codebook(let book):
      guard offset == .none, let suffix = scale.suffix(usual: book.usualScale) else { return nil }
      return "\(book.rawValue)-\(place)\(suffix)"
    case .learned(let bits):
      guard offset == .none, let suffix = scale.suffix(usual: .float16), suffix != "-dq" else {
        return nil
      }
      return "kmeans\(bits)-\(place)\(suffix)"
    }
  }

  public var description: String {
    name ?? "\(element) \(granularity) scale \(scale) offset \(offset)"
  }

  /// Finds a scheme by its name, in any case. Integer schemes are per row and asymmetric unless the name says
  /// otherwise; codebooks have groups of 64, learned ones belong to a row.
  public init?(name: String) {
    let wanted = name.lowercased()
    if wanted.hasSuffix(Self.orderSuffix) {
      guard let scheme = Scheme(name: String(wanted.dropLast(Self.orderSuffix.count))),
        !scheme.hasColumnOrder, scheme.canHaveColumnOrder
      else { return nil }
      self = scheme
      hasColumnOrder = true
      return
    }
    if let special = Self.specialNames.first(where: { $0.name == wanted }) {
      self = special.scheme
      return
    }
    if let scheme = GGMLType(name: wanted)?.scheme {
      self = scheme
      return
    }
    var words = wanted.split(separator: "-", omittingEmptySubsequences: false)[...]
    let head = words.removeFirst()
    var granularity: Granularity?
    if let first = words.first, let place = Granularity(name: first) {
      granularity = place
      words.removeFirst()
    }
    if let book = Codebook(rawValue: String(head)) {
      guard let scale = ScaleFormat(suffix: &words, usual: book.usualScale), words.isEmpty
      else { return nil }
      self.init(element: .codebook(book), granularity: granularity ?? .group(64), scale: scale)
    } else if let bits = Self.bits(head, after: "kmeans", in: 1...8) {
      guard let scale = ScaleFormat(suffix: &words, usual: .float16), words.isEmpty,
        scale != .doubleQuantized
      else { return nil }
      self.init(element: .learned(bits: bits), granularity: granularity ?? .row, scale: scale)
    } else if let bits = Self.bits(head, after: "int", in: 2...8) {
      let kind = words.popFirst() ?? "asym"
      guard let scale = ScaleFormat(suffix: &words, usual: .float16), words.isEmpty,
        scale != .doubleQuantized
      else { return nil }
      self.init(element: .uint(bits: bits), granularity: granularity ?? .row, scale: scale)
      switch kind {
      case "sym": element = .int(bits: bits)
      case "asym": offset = .zeroPoint(bits: bits)
      case "min": offset = .minimum(scale)
      default: return nil
      }
    } else {
      return nil
    }
  }

  private static let specialNames: [(name: String, scheme: Scheme)] = [
    ("mxfp4", Scheme(element: .codebook(.e2m1), granularity: .group(32), scale: .e8m0)),
    ("nvfp4", Scheme(element: .codebook(.e2m1), granularity: .group(16), scale: .e4m3)),
  ]

  private static func bits(
    _ word: Substring, after prefix: String, in range: ClosedRange<Int>
  ) -> Int? {
    guard word.hasPrefix(prefix), word.utf8.count == prefix.utf8.count + 1,
      let bits = Int(word.dropFirst(prefix.count)), range.contains(bits)
    else { return nil }
    return bits
  }
}

extension Codebook {
  fileprivate var usualScale: ScaleFormat {
    switch self {
    case .nf4, .fp4, .e4m3: .float32
    case .iq4nl, .e2m1: .float16
    }
  }
}

extension ScaleFormat {
  private static let suffixes: [(word: String, format: ScaleFormat)] = [
    ("f32", .float32), ("f16", .float16), ("bf16", .bfloat16), ("dq", .doubleQuantized),
  ]

  /// "" for the usual format, "-f32" and the like for others; nil for formats that no name tells.
  fileprivate func suffix(usual: ScaleFormat) -> String? {
    if self == usual { return "" }
    return Self.suffixes.first { $0.format == self }.map { "-" + $0.word }
  }

  fileprivate init?(suffix words: inout ArraySlice<Substring>, usual: ScaleFormat) {
    guard let word = words.popFirst() else {
      self = usual
      return
    }
    guard let found = Self.suffixes.first(where: { $0.word == word }), found.format != usual
    else { return nil }
    self = found.format
  }
}

extension Granularity {
  /// "tensor", "row", "column", or "g128"; nil for super-blocks.
  fileprivate var name: String? {
    switch self {
    case .tensor: "tensor"
    case .row: "row"
    case .column: "column"
    case .group(let length): "g\(length)"
    case .block: nil
    }
  }

  fileprivate init?(name: Substring) {
    switch name {
    case "tensor": self = .tensor
    case "row": self = .row
    case "column": self = .column
    default:
      guard name.first == "g", let length = Int(name.dropFirst()), length > 0, length <= 1 << 20
      else { return nil }
      self = .group(length)
    }
  }
}
