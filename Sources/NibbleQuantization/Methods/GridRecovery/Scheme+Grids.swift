extension Scheme {
  /// The grids that weights are looked for on when nobody says which: the schemes that other tools write, with the fewest
  /// bits first.
  public static let usualGrids: [Scheme] = {
    let granularities: [Granularity] = [.row, .group(128), .group(64), .group(32)]
    let formats: [ScaleFormat] = [.float16, .bfloat16, .float32]
    var schemes = GGMLType.allCases.compactMap(\.scheme)
    for granularity in granularities {
      for format in formats {
        for bits in [2, 3, 4, 5, 6, 8] {
          let offsets: [(ElementFormat, Offset)] = [
            (.int(bits: bits), .none), (.uint(bits: bits), .zeroPoint(bits: bits)),
            (.uint(bits: bits), .minimum(format)),
          ]
          for (element, offset) in offsets {
            schemes.append(
              Scheme(element: element, granularity: granularity, scale: format, offset: offset))
          }
        }
        for book in [Codebook.nf4, .fp4, .e4m3] {
          schemes.append(
            Scheme(element: .codebook(book), granularity: granularity, scale: format))
        }
      }
    }
    var all: [Scheme] = []
    for scheme in schemes where !all.contains(scheme) { all.append(scheme) }
    let order = all.indices.sorted {
      (all[$0].bitsPerWeight, $0) < (all[$1].bitsPerWeight, $1)
    }
    return order.map { all[$0] }
  }()
}
