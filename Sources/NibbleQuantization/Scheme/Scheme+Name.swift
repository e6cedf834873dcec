extension Scheme: CustomStringConvertible {
  /// The name that users write: a GGUF type ("q4_k"), an integer scheme ("int4-g128-asym", "int8-row-sym",
  /// "int8-tensor-asym"), or a codebook ("nf4-g64"); nil for schemes without a name.
  ///
  /// Where several names mean the same scheme, as "q4_0" and "int4-g32-sym", it is the GGUF one.
  public var name: String? {
    if let type = GGMLType(scheme: self) { return "\(type)" }
    switch element {
    case .int(let bits):
      guard scale == .float16, offset == .none, let place = granularity.name else { return nil }
      return "int\(bits)-\(place)-sym"
    case .uint(let bits):
      guard scale == .float16, offset == .zeroPoint(bits: bits), let place = granularity.name else {
        return nil
      }
      return "int\(bits)-\(place)-asym"
    case .codebook(let book):
      guard scale == .float32, offset == .none, let place = granularity.name else { return nil }
      return "\(book.rawValue)-\(place)"
    }
  }

  public var description: String {
    name ?? "\(element) \(granularity) scale \(scale) offset \(offset)"
  }

  /// Finds a scheme by its name, in any case. Integer schemes are per row and asymmetric unless the name says
  /// otherwise; codebooks have groups of 64.
  public init?(name: String) {
    let wanted = name.lowercased()
    if let scheme = GGMLType(name: wanted)?.scheme {
      self = scheme
      return
    }
    var words = wanted.split(separator: "-", omittingEmptySubsequences: false)[...]
    let head = words.removeFirst()
    if let book = Codebook(rawValue: String(head)) {
      guard let place = words.popFirst().map(Granularity.init(name:)) ?? .group(64), words.isEmpty
      else { return nil }
      self.init(element: .codebook(book), granularity: place, scale: .float32)
      return
    }
    guard head.hasPrefix("int"), let bits = Int(head.dropFirst(3)), (2...8).contains(bits) else {
      return nil
    }
    var granularity = Granularity.row
    if let first = words.first, let place = Granularity(name: first) {
      granularity = place
      words.removeFirst()
    }
    switch words.popFirst() {
    case "sym": self.init(element: .int(bits: bits), granularity: granularity, scale: .float16)
    case nil, "asym":
      self.init(
        element: .uint(bits: bits), granularity: granularity, scale: .float16,
        offset: .zeroPoint(bits: bits))
    default: return nil
    }
    if !words.isEmpty { return nil }
  }
}

extension Granularity {
  /// "tensor", "row", or "g128"; nil for super-blocks.
  fileprivate var name: String? {
    switch self {
    case .tensor: "tensor"
    case .row: "row"
    case .group(let length): "g\(length)"
    case .block: nil
    }
  }

  fileprivate init?(name: Substring) {
    switch name {
    case "tensor": self = .tensor
    case "row": self = .row
    default:
      guard name.first == "g", let length = Int(name.dropFirst()), length > 0, length <= 1 << 20
      else { return nil }
      self = .group(length)
    }
  }
}
